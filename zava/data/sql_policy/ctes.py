"""Common table expressions: which query each name stands for, and what is known of it so far."""

from __future__ import annotations

from collections.abc import Mapping

from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.scope import Scope, refuse_system_name, renamed
from zava.data.sql_policy.values import Column
from zava.data.sql_policy.verdict import Refusal


class Cte:
    """One WITH query: `node`, to be analysed inside `outer` where the CTEs `visible` can be named.

    `columns` is None until its query, or the non-recursive term of a recursive one, has been analysed.
    """

    __slots__ = ("columns", "name", "node", "outer", "recursive", "rows", "started", "visible")

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
