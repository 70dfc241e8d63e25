"""What the walk has met so far; it becomes the `SqlAnalysis`."""

from __future__ import annotations


class Findings:
    """Names met on the way; `volatile` as soon as the answer may change by itself, `collects` as in `SqlAnalysis`."""

    __slots__ = ("cast_targets", "collects", "ctes", "functions", "operators", "relations", "volatile")

    def __init__(self) -> None:
        self.relations: set[str] = set()
        self.functions: set[str] = set()
        self.operators: set[str] = set()
        self.ctes: set[str] = set()
        self.cast_targets: set[str] = set()
        self.volatile = False
        self.collects = False
