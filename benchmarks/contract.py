"""What the runner tells a benchmark, and what it gets back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """`quick` asks for small sizes; `peer` is a checkout of the Zava sample, for the comparison with its own server."""

    quick: bool = False
    peer: Path | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """`target` is the least that will do, or the most when `at_most` is set; None was measured where it did not run."""

    name: str
    target: float
    measured: float | None
    detail: str = ""
    at_most: bool = False

    @property
    def missed(self) -> bool:
        if self.measured is None:
            return False
        return self.measured > self.target if self.at_most else self.measured < self.target

    @property
    def verdict(self) -> str:
        return "not run" if self.measured is None else "MISSED" if self.missed else "ok"

    def cells(self) -> tuple[str, str, str, str, str]:
        """What, target, measured, verdict, detail."""
        target = f"{'at most' if self.at_most else 'at least'} {self.target:g}"
        measured = "" if self.measured is None else f"{self.measured:.2f}"
        return self.name, target, measured, self.verdict, self.detail
