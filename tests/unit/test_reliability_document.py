"""The page on reliability names every case that is measured, and no other."""

from __future__ import annotations

from tests.fault_table.faults import FAULTS
from tests.fault_table.report import DOCUMENT


def test_the_table_holds_a_row_for_every_case_in_their_order() -> None:
    rows = [
        line.split(" | ")[0].removeprefix("| ") for line in DOCUMENT.read_text("utf-8").splitlines() if " | " in line
    ]
    assert rows == ["broken", *FAULTS]
