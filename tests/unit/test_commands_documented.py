"""Commands, files and pages that the documents name are there, and each block of commands has a test that runs it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_PROJECT = Path(__file__).parents[2]
_PAGES = [*sorted(_PROJECT.glob("*.md")), *sorted((_PROJECT / "docs").glob("*.md"))]
_TARGETS = set(re.findall(r"^([a-z-]+):", (_PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE))

_COMMAND = re.compile(r"^ *(?:[A-Z]+=\$\()?(?:make|python3?|\.venv/bin/python|azd?|curl|git|xargs|pip) ", re.MULTILINE)
_HEADING_OR_BLOCK = re.compile(r"^#+ ([^\n]*)$|^ *```(\w*)\n((?:(?! *```).*\n)*) *```$", re.MULTILINE)

_RUN_BY = {
    "README.md": {
        "On your machine": "tests/e2e/test_make_run.py",
        "Ask": "tests/e2e/test_make_run.py",
        "On Azure": "tests/infra/test_azd.py",  # what is set is read; azd itself needs Azure
    },
    "CONTRIBUTING.md": {"Set up": ".ci/run"},
    "adapting.md": {
        "The whole of it, applied": "tests/adapting/test_clinics.py",
        "The tests": "tests/adapting/test_clinics.py",
    },
    "auth.md": {
        "Grants": "tests/deployment/test_operations.py",
        "Entra ID": "tests/deployment/test_operations.py",
        "App Service authentication in front": "tests/deployment/test_operations.py",
        "No issuer: an operator's key pair": "tests/deployment/test_operations.py",
        "The laptop": "tests/e2e/test_make_run.py",
        "Revocation": "tests/deployment/test_operations.py",
    },
    "dashboard.md": {"How it is tested": ".ci/run"},
    "deployment.md": {"What you need": "tests/infra/test_azd.py", "The package": "tests/deployment/package.py"},
    "health.md": {"Health": "tests/e2e/test_make_run.py"},
    "operations.md": dict.fromkeys(
        (
            *("Get in", "Restore", "Rotate the signing key", "Rotate the other secrets", "Revoke", "Grant"),
            *("Replace the embedding model", "Scale", "Move to the other profile", "Incidents"),
        ),
        "tests/deployment/test_operations.py",
    ),
    "scaling.md": {"Partitions by month": "tests/infra/test_documents.py"},
    "search.md": {"Another model": "tests/integration/test_embedding_commands.py"},
    "security.md": {
        "What PostgreSQL itself writes down": "tests/infra/test_documents.py",
        "Verify it on your own database": "tests/e2e/test_make_run.py",
    },
}
"""Below which heading commands stand, and what runs them."""

_each_page = pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)


@_each_page
def test_every_make_target_exists(page: Path) -> None:
    named = re.findall(r"(?:`|^ *(?:\$ )?|\()make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)
    assert set(named) - _TARGETS == set()


@_each_page
def test_every_block_of_commands_has_a_test_that_runs_it(page: Path) -> None:
    headings: dict[str, None] = {}
    heading = ""
    for title, language, text in _HEADING_OR_BLOCK.findall(page.read_text("utf-8")):
        heading = title or heading
        if language in ("sh", "bash", "console", "sql") or (not language and _COMMAND.search(text)):
            headings[heading] = None
    run_by = _RUN_BY.get(page.name, {})
    assert list(headings) == list(run_by)
    for file in set(run_by.values()) - {".ci/run"}:
        assert page.name in (_PROJECT / file).read_text("utf-8")


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
