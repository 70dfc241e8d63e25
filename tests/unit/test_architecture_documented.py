"""docs/architecture.md names every module of the package, and none that is gone."""

from __future__ import annotations

import re
from pathlib import Path

_PROJECT = Path(__file__).parents[2]
_PAGE = (_PROJECT / "docs" / "architecture.md").read_text("utf-8")


def test_every_module_is_named_below_its_folder() -> None:
    modules = {
        str(path.relative_to(_PROJECT))
        for path in (_PROJECT / "zava").rglob("*.py")
        if path.name != "__init__.py" and path.parent.name != "versions"
    }
    folders = re.split(r"^### (zava[a-z_/]*/)$", _PAGE.partition("\n## Every module\n")[2], flags=re.MULTILINE)[1:]
    named = {
        folder + module
        for folder, text in zip(folders[::2], folders[1::2], strict=True)
        for module in re.findall(r"^\| `([a-z_0-9]+\.py)` \| \S", text, re.MULTILINE)
    }
    assert named == modules


def test_every_path_the_page_names_exists() -> None:
    paths = re.findall(r"`((?:zava|tests|docs|infra)/[a-z_0-9/.]+)`", _PAGE)
    assert [path for path in paths if not (_PROJECT / path).exists()] == []
