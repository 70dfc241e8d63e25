"""Common table expressions: which query each name stands for, and what is known of it so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from zava.data.sql_policy.digits import MAX_DIGITS, number
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.limits import MAX_RECURSIVE_GROWTH
from zava.data.sql_policy.nodes import check_fields, only_node
from zava.data.sql_policy.scope import Scope, refuse_system_name, renamed
from zava.data.sql_policy.values import Column, Shape, Value, one_of
from zava.data.sql_policy.verdict import Refusal

# What a recursive query's own columns are taken for while its second term is looked at.
_PROBE: Final = 1e6


class Cte:
    """One WITH query: `node`, to be analysed inside `outer` where the CTEs `visible` can be named.

    `columns` is None until its query, or the non-recursive term of a recursive one, has been analysed.
    """

    __slots__ = ("columns", "name", "node", "outer", "recursive", "rows", "started", "visible", "weight")

    def __init__(self, node: Node, outer: Scope | None) -> None:
        self.name: str = node["ctename"]
        refuse_system_name(self.name)
        self.node = node
        self.outer = outer
        self.visible: Ctes = {}
        self.recursive = False
        self.columns: list[Column] | None = None
        self.rows = 1.0
        self.started = False
        self.weight = 0.0

    @property
    def materialized(self) -> bool:
        """Whether the query says that it is run apart from the rest."""
        return self.node["ctematerialized"] == "CTEMaterializeAlways"

    @property
    def copied(self) -> bool:
        """Whether the query says that each reference gets a copy of its own."""
        return self.node["ctematerialized"] == "CTEMaterializeNever"

    def taken_weight(self) -> float:
        """What a reference adds: the first one its whole query, further ones nothing unless it is copied."""
        weight = self.weight
        if not self.copied:
            self.weight = 0.0
        return weight

    def known_columns(self) -> list[Column]:
        """The columns of a CTE whose analysis has begun.

        Raises:
            Refusal: `cte_reference` when the CTE refers to itself where PostgreSQL cannot know its columns yet.
        """
        if self.columns is None:
            raise Refusal(
                "cte_reference",
                self.name,
                "Let a recursive CTE name itself only after UNION ALL, in the second SELECT.",
            )
        return self.columns

    def renamed(self, columns: list[Column]) -> list[Column]:
        """The columns of its query under the names that `WITH name(a, b)` gives them."""
        names = self.node.get("aliascolnames")
        return renamed(columns, {"colnames": names} if names else None)


Ctes = Mapping[str, Cte]


def defined_cte(node: Node, outer: Scope | None) -> Cte:
    """The CTE that a CommonTableExpr defines.

    Raises:
        Refusal: `search_cycle` or `data_modifying_cte`.
    """
    for clause in ("search_clause", "cycle_clause"):
        if clause in node:
            raise Refusal(
                "search_cycle",
                clause.removesuffix("_clause").upper(),
                "Keep the path in an array column yourself: path || id, and WHERE NOT id = ANY(path).",
            )
    check_fields("CommonTableExpr", node)
    kind, _ = only_node(node["ctequery"])
    if kind != "SelectStmt":
        raise Refusal("data_modifying_cte", kind.removesuffix("Stmt").upper(), "Use only SELECT inside WITH.")
    return Cte(node, outer)


def probe(value: Value) -> Value:
    """What a recursive query's second term is given for a column of the first: so large that growth shows."""
    if value.shape is Shape.FIXED:
        return value
    return Value(_PROBE, value.shape if isinstance(value.shape, Shape) else Shape.OPAQUE)


def grown(name: str, first: Value, second: Value) -> Value:
    """A column of a recursive query: what the first term gives, and what a turn makes of it.

    Raises:
        Refusal: `recursive_growth`.
    """
    either = one_of([first, second])
    if first.shape is Shape.FIXED and second.shape is Shape.FIXED:
        return either if second.size <= first.size else number(MAX_DIGITS)
    growth = second.size - _PROBE
    if growth > MAX_RECURSIVE_GROWTH:
        raise Refusal(
            "recursive_growth",
            name,
            "Let a recursive CTE only append a little to a value at each step: path || id, with the column used once.",
        )
    return either if growth <= 0 else Value(first.size + growth * 50, either.shape)
