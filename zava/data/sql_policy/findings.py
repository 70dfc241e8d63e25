"""What the walk has met so far; it becomes the `SqlAnalysis`."""

from __future__ import annotations

from zava.data.sql_policy.limits import MANY_RELATIONS, MAX_WEIGHT, RELATION_WEIGHT
from zava.data.sql_policy.verdict import Refusal


class Findings:
    """Names met on the way; `volatile` as soon as the answer may change by itself, `collects` as in `SqlAnalysis`.

    `weight` counts the nodes of the query as PostgreSQL's planner will see it: it puts the expressions of a subquery
    where its columns are named, so that a+a of a+a of a+a ... doubles at each level.
    """

    __slots__ = (
        "cast_targets",
        "collects",
        "ctes",
        "functions",
        "operators",
        "relations",
        "relations_read",
        "volatile",
        "weight",
    )

    def __init__(self) -> None:
        self.relations: set[str] = set()
        self.functions: set[str] = set()
        self.operators: set[str] = set()
        self.ctes: set[str] = set()
        self.cast_targets: set[str] = set()
        self.volatile = False
        self.collects = False
        self.weight = 0.0
        self.relations_read = 0

    def read(self, weight: float) -> None:
        """Count one table or CTE, of which the query behind it weighs so much.

        Raises:
            Refusal: `too_heavy`.
        """
        self.relations_read += 1
        self.collects |= self.relations_read > MANY_RELATIONS
        self.weigh(RELATION_WEIGHT + weight)

    def weigh(self, nodes: float) -> None:
        """Count so many nodes more.

        Raises:
            Refusal: `too_heavy`.
        """
        self.weight += nodes
        if self.weight > MAX_WEIGHT:
            raise Refusal(
                "too_heavy",
                "expressions of subqueries",
                "Name a subquery's result fewer times, or compute it once: WITH name AS MATERIALIZED (SELECT ...).",
            )
