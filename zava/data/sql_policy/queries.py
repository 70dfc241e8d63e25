"""The walk through queries: SELECT, VALUES, set operations, WITH, and subqueries in expressions."""

from __future__ import annotations

import math
from typing import Final

from zava.data.sql_policy.columns import column_parts, resolve_source, result_value
from zava.data.sql_policy.ctes import Cte, Ctes
from zava.data.sql_policy.digits import MAX_DIGITS, number
from zava.data.sql_policy.expressions import QueryResult, unknown, with_fields
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.limits import MAX_RECURSIVE_GROWTH
from zava.data.sql_policy.literals import literal_number
from zava.data.sql_policy.nodes import check_fields, only_node
from zava.data.sql_policy.output_names import output_name
from zava.data.sql_policy.scope import FromItem, Scope, refuse_system_name
from zava.data.sql_policy.sizes import bounded
from zava.data.sql_policy.sources import SourceWalk, equalities
from zava.data.sql_policy.type_names import check_operator
from zava.data.sql_policy.values import FIXED, Column, Row, Shape, Value, array_of, one_of
from zava.data.sql_policy.verdict import Refusal

_SET_OPERATIONS: Final = frozenset({"SETOP_UNION", "SETOP_INTERSECT", "SETOP_EXCEPT"})
_SUBLINKS: Final = frozenset("EXISTS_SUBLINK ALL_SUBLINK ANY_SUBLINK EXPR_SUBLINK ARRAY_SUBLINK".split())
_LIMIT_OPTIONS: Final = frozenset("LIMIT_OPTION_DEFAULT LIMIT_OPTION_COUNT LIMIT_OPTION_WITH_TIES".split())
# GROUP BY leaves about this share of the rows.
_ROWS_A_GROUP: Final = 10.0
_RECURSIVE_ROWS: Final = 500.0
# What a recursive query's own columns are taken for while its second term is looked at.
_PROBE: Final = 1e6


class QueryWalk(SourceWalk):
    """The whole walk; `query` is the way in."""

    def query(self, node: Node, outer: Scope | None, ctes: Ctes, recursive: Cte | None = None) -> QueryResult:
        """The columns of a SelectStmt inside `outer`; `recursive` is the CTE whose query this is, if it may recur."""
        if "intoClause" in node:
            raise Refusal("select_into", "INTO", "Leave INTO out: the result comes back to you directly.")
        if "lockingClause" in node:
            raise Refusal("row_lock", "FOR UPDATE/SHARE", "Leave FOR UPDATE/SHARE out: a query must not lock rows.")
        check_fields("SelectStmt", node)
        if node["limitOption"] not in _LIMIT_OPTIONS:
            raise unknown(node["limitOption"])
        self.enter()
        if "withClause" in node:
            ctes = self._with(node["withClause"], outer, ctes)
        if node["op"] != "SETOP_NONE":
            result = self._set_operation(node, outer, ctes, recursive)
        elif "valuesLists" in node:
            result = self._values(node, outer, ctes)
        else:
            result = self._select(node, outer, ctes)
        self.depth -= 1
        limit = literal_number(node["limitCount"]) if "limitCount" in node else None
        return result if limit is None else QueryResult(result.columns, min(result.rows, max(limit, 1.0)))

    def _select(self, node: Node, outer: Scope | None, ctes: Ctes) -> QueryResult:
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
        self._order_and_limit(node, scope, names)
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
            parts, _ = column_parts(body["fields"])
            if parts:
                return [(name, result_value(value)) for name, value in resolve_source(parts, scope).order]
            return [(name, result_value(value)) for item in items for name, value in item.columns]
        if kind == "A_Indirection" and "A_Star" in body["indirection"][-1]:
            return self._all_fields(body, scope)
        value = result_value(self.expression(target["val"], scope))
        name = target.get("name") or output_name(target["val"], self.subquery_columns)
        refuse_system_name(name)
        return [(name, value)]

    def _all_fields(self, body: Node, scope: Scope) -> list[Column]:
        """`(value).*`"""
        check_fields("A_Indirection", body)
        steps = body["indirection"][:-1]
        inner: Node = {"A_Indirection": {"arg": body["arg"], "indirection": steps}} if steps else body["arg"]
        value = self.expression(inner, scope)
        if not isinstance(value.shape, Row):
            raise Refusal("field", "(...).*", "Put the function or subquery into FROM and name its columns.")
        return [(name, result_value(field)) for name, field in value.shape.columns.items()]

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
            fields = node["ColumnRef"]["fields"] if "ColumnRef" in node else ()
            if len(fields) != 1 or fields[0].get("String", {}).get("sval") not in names:
                self.expression(node, scope)

    def _order_and_limit(self, node: Node, scope: Scope, names: set[str]) -> None:
        self._keys([self.sort_key(key) for key in node.get("sortClause", ())], scope, names)
        self.optional(node.get("limitOffset"), scope)
        self.optional(node.get("limitCount"), scope)

    def _values(self, node: Node, outer: Scope | None, ctes: Ctes) -> QueryResult:
        scope = Scope([], [], outer, ctes)
        rows = [self.expressions(_plain(row["List"]["items"]), scope) for row in node["valuesLists"]]
        columns = [
            (f"column{number}", result_value(one_of(list(values))))
            for number, values in enumerate(zip(*rows, strict=True), start=1)
        ]
        self._order_and_limit(node, _results_scope(columns, outer, ctes), {name for name, _ in columns})
        return QueryResult(columns, len(rows) * scope.expansion)

    def _set_operation(self, node: Node, outer: Scope | None, ctes: Ctes, recursive: Cte | None) -> QueryResult:
        # A chain such as a UNION b UNION c is nested to the left: going down it in a loop keeps the stack flat.
        chain = [node]
        while recursive is None and _continues(chain[-1]["larg"]):
            chain.append(chain[-1]["larg"])
            check_fields("SelectStmt", chain[-1])
        result = self.query(chain[-1]["larg"], outer, ctes)
        for step in reversed(chain):
            if step["op"] not in _SET_OPERATIONS:
                raise unknown(step["op"])
            if recursive is not None:
                recursive.columns = [(name, _probe(value)) for name, value in recursive.renamed(result.columns)]
                recursive.rows = max(result.rows, _RECURSIVE_ROWS)
            other = self.query(step["rarg"], outer, ctes)
            if len(other.columns) != len(result.columns):
                raise Refusal("set_operation", step["op"].removeprefix("SETOP_"), "Give both sides the same number of columns.")
            columns = [
                (name, one_of([first, second]) if recursive is None else _grown(name, first, second))
                for (name, first), (_, second) in zip(result.columns, other.columns, strict=True)
            ]
            result = QueryResult(columns, result.rows + other.rows if recursive is None else recursive.rows)
        self._order_and_limit(node, _results_scope(result.columns, outer, ctes), {name for name, _ in result.columns})
        return result

    def _with(self, clause: Node, outer: Scope | None, ctes: Ctes) -> Ctes:
        """The CTEs visible below a WITH clause: of a plain one each sees those before it, of a recursive one all."""
        check_fields("WithClause", clause)
        visible: dict[str, Cte] = dict(ctes)
        defined: list[Cte] = []
        for node in clause["ctes"]:
            cte = _cte(node["CommonTableExpr"], outer)
            cte.recursive = "recursive" in clause
            cte.visible = visible if cte.recursive else dict(visible)
            visible[cte.name] = cte
            defined.append(cte)
        for cte in defined:
            self.cte_columns(cte)
            self.findings.ctes.add(cte.name)
        return visible

    def cte_columns(self, cte: Cte) -> list[Column]:
        if not cte.started:
            cte.started = True
            query: Node = cte.node["ctequery"]["SelectStmt"]
            recursive = cte if cte.recursive and query["op"] == "SETOP_UNION" else None
            result = self.query(query, cte.outer, cte.visible, recursive)
            cte.columns = cte.renamed(result.columns)
            cte.rows = result.rows
        return cte.known_columns()

    def sublink(self, body: Node, scope: Scope) -> Value:
        """A subquery in an expression."""
        kind = body["subLinkType"]
        if kind not in _SUBLINKS:
            raise unknown(kind)
        self.optional(body.get("testexpr"), scope)
        if "operName" in body:
            check_operator(body["operName"], self.findings)
        result = self.query(body["subselect"]["SelectStmt"], scope, scope.ctes)
        values = [value for _, value in result.columns]
        if kind == "EXISTS_SUBLINK":
            return FIXED
        if kind == "EXPR_SUBLINK":
            # A row of several columns only compares with another one.
            self.subquery_columns[id(body)] = result.columns[0][0] if values else ""
            return values[0] if len(values) == 1 else FIXED
        # An array is built, and for IN a table in memory that does not spill.
        size = result.rows * sum(value.size for value in values)
        shape = array_of(values, size).shape if kind == "ARRAY_SUBLINK" else Shape.FIXED
        value = bounded(size, shape, "subquery")
        return value if kind == "ARRAY_SUBLINK" else FIXED

    def json_array(self, body: Node, scope: Scope) -> Value:
        """JSON_ARRAY(SELECT ...)"""
        check_fields("JsonFormat", body["format"])
        result = self.query(body["query"]["SelectStmt"], scope, scope.ctes)
        size = result.rows * sum(value.size for _, value in result.columns)
        return self.json_output(body, bounded(size * 2, Shape.PLAIN, "JSON_ARRAY"))


QueryWalk.visits = SourceWalk.visits | with_fields(
    {"JsonArrayQueryConstructor": QueryWalk.json_array, "SubLink": QueryWalk.sublink}
)


def _cte(node: Node, outer: Scope | None) -> Cte:
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


def _continues(node: Node) -> bool:
    """Whether the left side of a set operation is one itself, without clauses of its own."""
    return node["op"] != "SETOP_NONE" and node.keys() <= {"op", "all", "larg", "rarg", "limitOption"}


def _results_scope(columns: list[Column], outer: Scope | None, ctes: Ctes) -> Scope:
    """ORDER BY of a set operation sees its results only."""
    return Scope([], columns, outer, ctes)


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


def _probe(value: Value) -> Value:
    if value.shape is Shape.FIXED:
        return value
    return Value(_PROBE, value.shape if isinstance(value.shape, Shape) else Shape.OPAQUE)


def _grown(name: str, first: Value, second: Value) -> Value:
    """A column of a recursive query: what the first term gives, and what a turn makes of it."""
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
