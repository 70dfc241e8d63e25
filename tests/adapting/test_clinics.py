"""docs/adapting.md, done by its own commands: another schema and other tenants, on a copy of this checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.test_make_run import checkout_into

PROJECT = Path(__file__).resolve().parents[2]
_PAGE = (PROJECT / "docs" / "adapting.md").read_text("utf-8")


def _commands(heading: str) -> str:
    """The shell commands below a heading of the page."""
    found = re.search(rf"## {heading}\n.*?```sh\n(.*?)```", _PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def clinics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("adapted") / "clinics"
    checkout_into(copy)
    done = _run(copy, _commands("The whole of it, applied"))
    assert done.returncode == 0, done.stdout
    return copy


def _run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        env=environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_the_edited_code_is_clean_and_its_layers_hold(clinics: Path) -> None:
    done = _run(clinics, "ruff check zava scripts function_app.py && lint-imports --no-cache")
    assert done.returncode == 0, done.stdout


@pytest.mark.timeout(400)
def test_each_clinic_sees_its_own_rows_and_the_tests_that_stay_pass(clinics: Path) -> None:
    done = _run(clinics, _commands("The tests"))
    assert done.returncode == 0, done.stdout


def test_every_edited_file_is_named_on_the_page() -> None:
    patched = set(re.findall(r"^\+\+\+ b/(.*)$", (PROJECT / "docs/adapting/clinics.patch").read_text(), re.MULTILINE))
    named = set(re.findall(r"`([a-z_0-9/]+\.(?:py|sql|html))`", _PAGE))
    assert {path for path in patched if not any(path.endswith(name) for name in named)} == set()
