"""What a client sees stands in the README and in the page on prompts, with the permission each needs."""

from __future__ import annotations

import re
from pathlib import Path

from zava.protocol.prompts import PROMPTS
from zava.protocol.tool_gate import PROMPT_PERMISSIONS, RESOURCE_PERMISSIONS, TOOL_PERMISSIONS

_PROJECT = Path(__file__).parents[2]
_PAGE = (_PROJECT / "docs/resources-and-prompts.md").read_text()


def _rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    part = text.partition(f"# {heading}\n")[2].partition("\n#")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines() if line.startswith("|")][2:]


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_page_lists_every_prompt_with_its_arguments_and_permission() -> None:
    listed = {_names(row[0])[0]: (_names(row[1]), _names(row[3])) for row in _rows(_PAGE, "Prompts")}
    assert listed == {name: ([*guide.arguments], [PROMPT_PERMISSIONS[name]]) for name, guide in PROMPTS.items()}
    assert PROMPT_PERMISSIONS.keys() == PROMPTS.keys()


def test_the_page_lists_every_resource_with_its_permission() -> None:
    listed = {_names(row[0])[0]: _names(row[3])[0] for row in _rows(_PAGE, "Resources")}
    assert listed == {uri: needed for uri, needed in RESOURCE_PERMISSIONS.items() if uri.startswith("zava:")}


def test_the_readme_lists_what_a_client_sees() -> None:
    readme = (_PROJECT / "README.md").read_text()
    assert {_names(row[0])[0] for row in _rows(readme, "Tools")} == TOOL_PERMISSIONS.keys()
    listed = {row[0]: {*_names(row[1])} for row in _rows(readme, "Resources and prompts")}
    assert listed == {
        "resources": {uri for uri in RESOURCE_PERMISSIONS if uri.startswith("zava:")},
        "prompts": {*PROMPTS},
    }
