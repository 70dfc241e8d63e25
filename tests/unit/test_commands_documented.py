"""Commands, files and pages that the documents name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_PROJECT = Path(__file__).parents[2]
_PAGES = [*sorted(_PROJECT.glob("*.md")), *sorted((_PROJECT / "docs").glob("*.md"))]
_TARGETS = set(re.findall(r"^([a-z-]+):", (_PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE))

_each_page = pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)


@_each_page
def test_every_make_target_exists(page: Path) -> None:
    named = re.findall(r"(?:`|^ *(?:\$ )?|\()make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)
    assert set(named) - _TARGETS == set()


@_each_page
def test_every_module_that_is_run_exists_and_can_be(page: Path) -> None:
    for module in re.findall(
        r"python[0-9.]* -m ((?:zava|scripts|tests|benchmarks)\.[a-z_.]+)", page.read_text("utf-8")
    ):
        file = _PROJECT / f"{module.rstrip('.').replace('.', '/')}.py"
        assert file.is_file(), module
        assert '__name__ == "__main__"' in file.read_text("utf-8"), module


@_each_page
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^)#: ]+)(?:#[^)]*)?\)|(?:src|href)=\"([^\":#]+)\"", page.read_text("utf-8"))
    assert [path for pair in links for path in pair if path and not (page.parent / path).exists()] == []


def test_the_readme_leads_to_every_page() -> None:
    readme = (_PROJECT / "README.md").read_text("utf-8")
    assert [page.name for page in _PAGES if page.parent.name == "docs" and f"(docs/{page.name}" not in readme] == []
