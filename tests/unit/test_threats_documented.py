"""The table of threats in docs/security.md names walls that stand and tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

_PROJECT = Path(__file__).parents[2]


def _rows() -> list[list[str]]:
    page = (_PROJECT / "docs/security.md").read_text("utf-8")
    part = page.partition("\n## Threats, wall by wall\n")[2].partition("\n## ")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines() if line.startswith("|")][2:]


def test_every_threat_has_a_wall_a_file_and_a_test() -> None:
    rows = _rows()
    assert "".join(dict.fromkeys(row[0] for row in rows)) == "STRIDE"
    for _, threat, wall, files, tests in rows:
        assert threat
        assert wall
        for file in re.findall("`([^`]+)`", files):
            assert (_PROJECT / file).exists(), file
        named = re.findall("`([^`]+)`", tests)
        assert named, threat
        for file in named:
            assert re.search(
                r"^(async )?def test_|^    (async )?def test_", (_PROJECT / file).read_text("utf-8"), re.MULTILINE
            ), file
