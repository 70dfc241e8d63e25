"""One table for every benchmark: what was measured, the target, the figure, the verdict."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`target` is the least that will do, or the most when `at_most` is set."""

    name: str
    target: float
    measured: float
    detail: str = ""
    at_most: bool = False

    @property
    def reached(self) -> bool:
        return self.measured <= self.target if self.at_most else self.measured >= self.target


def print_table(rows: list[Row]) -> int:
    """Print the rows; 0 when every target is reached, else 1."""
    width = max(len(row.name) for row in rows)
    for row in rows:
        sign = "<=" if row.at_most else ">="
        verdict = "ok" if row.reached else "MISSED"
        print(f"{row.name:{width}}  {row.measured:8.2f}  (target {sign} {row.target:g})  {verdict:6}  {row.detail}")
    return 0 if all(row.reached for row in rows) else 1
