"""Every package that is asked for has its reason in docs/decisions.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_PROJECT = Path(__file__).parents[2]
_REASONS = (_PROJECT / "docs" / "decisions.md").read_text("utf-8").partition("## Departures")[0]


@pytest.mark.parametrize("file", sorted(_PROJECT.glob("requirements*.in")), ids=lambda file: file.name)
def test_every_package_has_its_reason(file: Path) -> None:
    asked = set(re.findall(r"^([a-z0-9][a-z0-9-]*)", file.read_text("utf-8"), re.MULTILINE))
    assert asked
    assert {name for name in asked if not re.search(rf"(?<![\w-]){name}(?![\w-])", _REASONS)} == set()
