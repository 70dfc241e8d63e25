"""The walk through one SELECT or VALUES: its results, their names, and the keys it groups and sorts by."""

from __future__ import annotations

import math
from typing import Final

from zava.data.sql_policy.columns import column_parts, resolve_source, result_value
from zava.data.sql_policy.ctes import Ctes
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.nodes import check_fields, only_node
from zava.data.sql_policy.output_names import output_name
from zava.data.sql_policy.scope import FromItem, Scope, Source, refuse_system_name
from zava.data.sql_policy.sources import SourceWalk, equalities
from zava.data.sql_policy.values import Column, QueryResult, Row, Value, one_of
from zava.data.sql_policy.verdict import Refusal

# As many as PostgreSQL takes (MaxTupleAttributeNumber).
_MAX_RESULTS: Final = 1_664
# GROUP BY leaves about this share of the rows.
_ROWS_A_GROUP: Final = 10.0


class SelectWalk(SourceWalk):
    """Visits queries without WITH and set operations."""

    def select(self, node: Node, outer: Scope | None, ctes: Ctes) -> QueryResult:
        items: list[FromItem] = []
        for source in node.get("fromClause", ()):
            items.append(self.from_item(source, items, outer, ctes))
        scope = Scope(
            [source for item in items for source in item.sources],
            [column for item in items for column in item.columns],
            outer,
            ctes,
            _joined_rows([item.rows for item in items], node.get("whereClause"), outer),
        )
        targets: list[Node] = node.get("targetList", [])
        if len(targets) > _MAX_RESULTS:
            raise Refusal("too_long", f"{len(targets)} columns", f"Select at most {_MAX_RESULTS} columns.")
        scope.targets = targets
        self.optional(node.get("whereClause"), scope)
        columns = [column for target in targets for column in self._target(target, scope, items)]
        names = {name for name, _ in columns}
        self._group(node.get("groupClause", ()), scope, names)
        self.optional(node.get("havingClause"), scope)
        for window in node.get("windowClause", ()):
            self.window(window["WindowDef"], scope)
        # DISTINCT without ON is a list of one empty node.
        self._keys([key for key in node.get("distinctClause", ()) if key], scope, names)
        self.order_and_limit(node, scope, names)
        rows = scope.rows * scope.expansion
        if "groupClause" in node:
            rows = max(1.0, rows / _ROWS_A_GROUP)
        elif scope.aggregated:
            rows = scope.expansion
        return QueryResult(columns, rows)

    def _target(self, node: Node, scope: Scope, items: list[FromItem]) -> list[Column]:
        """The result columns that one entry of the select list gives."""
        target: Node = node["ResTarget"]
        check_fields("ResTarget", target)
        kind, body = only_node(target["val"])
        if kind == "ColumnRef" and "A_Star" in body["fields"][-1]:
            check_fields(kind, body)
            parts, _ = column_parts(body["fields"])
            stars = (
                resolve_source(parts, scope).order if parts else [column for item in items for column in item.columns]
            )
            self.findings.weigh(sum(value.weight for _, value in stars))
            return [(name, result_value(value)) for name, value in stars]
        if kind == "A_Indirection" and "A_Star" in body["indirection"][-1]:
            return self._all_fields(body, scope)
        value = result_value(self._weighed(target["val"], scope))
        name = target.get("name") or output_name(target["val"], self.subquery_columns)
        refuse_system_name(name)
        return [(name, value)]

    def _weighed(self, node: Node, scope: Scope) -> Value:
        """The value of an expression, with what a reference to it weighs."""
        before = self.findings.weight
        value = self.expression(node, scope)
        return value._replace(weight=self.findings.weight - before)

    def _all_fields(self, body: Node, scope: Scope) -> list[Column]:
        """`(value).*`"""
        check_fields("A_Indirection", body)
        steps = body["indirection"][:-1]
        inner: Node = {"A_Indirection": {"arg": body["arg"], "indirection": steps}} if steps else body["arg"]
        value = self._weighed(inner, scope)
        if not isinstance(value.shape, Row):
            raise Refusal("field", "(...).*", "Put the function or subquery into FROM and name its columns.")
        # PostgreSQL writes the whole expression once for each field.
        self.findings.weigh(value.weight * len(value.shape.columns))
        return [
            (name, result_value(field)._replace(weight=value.weight)) for name, field in value.shape.columns.items()
        ]

    def _group(self, nodes: list[Node] | tuple[()], scope: Scope, names: set[str]) -> None:
        for node in nodes:
            if "GroupingSet" in node:
                check_fields("GroupingSet", node["GroupingSet"])
                self._group(node["GroupingSet"].get("content", ()), scope, names)
            elif "RowExpr" in node:
                check_fields("RowExpr", node["RowExpr"])
                self._group(node["RowExpr"].get("args", ()), scope, names)
            else:
                self._keys([node], scope, names)

    def _keys(self, nodes: list[Node], scope: Scope, names: set[str]) -> None:
        """Keys of GROUP BY, DISTINCT ON and ORDER BY: a bare name may be that of a result."""
        for node in nodes:
            if _bare_name(node) not in names:
                self.expression(node, scope)

    def order_and_limit(self, node: Node, scope: Scope, names: set[str]) -> None:
        self._keys([self.sort_key(key) for key in node.get("sortClause", ())], scope, names)
        self.optional(node.get("limitOffset"), scope)
        self.optional(node.get("limitCount"), scope)

    def values(self, node: Node, outer: Scope | None, ctes: Ctes) -> QueryResult:
        outside = Scope([], [], outer, ctes)
        rows = [[self._weighed(item, outside) for item in _plain(row["List"]["items"])] for row in node["valuesLists"]]
        if len({len(row) for row in rows}) > 1:
            raise Refusal("set_operation", "VALUES", "Give every row of VALUES the same number of values.")
        columns = [
            (f"column{number}", result_value(_any_row(list(values))))
            for number, values in enumerate(zip(*rows, strict=True), start=1)
        ]
        # ORDER BY sees the rows under a name of PostgreSQL's own, which hides an alias of that name outside.
        scope = Scope([Source("*VALUES*", columns)], columns, outer, ctes)
        self.order_and_limit(node, scope, {name for name, _ in columns})
        return QueryResult(columns, len(rows) * outside.expansion)


def _any_row(values: list[Value]) -> Value:
    """A column of VALUES. The expressions of one row are put where the column is named, those of several are not."""
    return one_of(values)._replace(weight=values[0].weight) if len(values) == 1 else one_of(values)


def _bare_name(node: Node) -> str | None:
    """The name that a column reference of one part consists of."""
    if "ColumnRef" not in node:
        return None
    check_fields("ColumnRef", node["ColumnRef"])
    parts, star = column_parts(node["ColumnRef"]["fields"])
    return parts[0] if len(parts) == 1 and not star else None


def _plain(nodes: list[Node]) -> list[Node]:
    for node in nodes:
        if "ColumnRef" in node and "A_Star" in node["ColumnRef"]["fields"][-1]:
            raise Refusal("unknown_syntax", "VALUES (*)", "Name the columns in VALUES one by one.")
    return nodes


def _joined_rows(rows: list[float], where: Node | None, outer: Scope | None) -> float:
    """About how many rows a FROM clause has: each equality of columns joins two items, or one to an outer query."""
    keys = equalities(where) if where is not None else 0
    joins = min(keys, max(len(rows) - 1, 0))
    estimate = math.prod(sorted(rows, reverse=True)[: len(rows) - joins])
    if keys > joins and outer is not None:
        estimate = estimate * _ROWS_A_GROUP / max(outer.rows, _ROWS_A_GROUP)
    return max(estimate, 1.0)
