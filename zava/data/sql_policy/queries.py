"""The walk through queries: set operations, WITH, and subqueries in expressions, around the SELECTs they consist of."""

from __future__ import annotations

from typing import Final

from zava.data.sql_policy.ctes import Cte, Ctes, defined_cte, grown, probe
from zava.data.sql_policy.expressions import with_fields
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.growth import bounded, quoted
from zava.data.sql_policy.literals import literal_number
from zava.data.sql_policy.nodes import check_fields, unknown
from zava.data.sql_policy.scope import Scope
from zava.data.sql_policy.selects import SelectWalk
from zava.data.sql_policy.type_names import check_operator
from zava.data.sql_policy.values import FIXED, FIXED_SIZE, Column, QueryResult, Shape, Value, array_of, one_of
from zava.data.sql_policy.verdict import Refusal

_SET_OPERATIONS: Final = frozenset({"SETOP_UNION", "SETOP_INTERSECT", "SETOP_EXCEPT"})
_SUBLINKS: Final = frozenset("EXISTS_SUBLINK ALL_SUBLINK ANY_SUBLINK EXPR_SUBLINK ARRAY_SUBLINK".split())
_LIMIT_OPTIONS: Final = frozenset("LIMIT_OPTION_DEFAULT LIMIT_OPTION_COUNT LIMIT_OPTION_WITH_TIES".split())
_RECURSIVE_ROWS: Final = 200.0


class QueryWalk(SelectWalk):
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
            result = self.values(node, outer, ctes)
        else:
            result = self.select(node, outer, ctes)
        self.depth -= 1
        limit = literal_number(node["limitCount"]) if "limitCount" in node else None
        return result if limit is None else QueryResult(result.columns, min(result.rows, max(limit, 1.0)))

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
                recursive.columns = [(name, probe(value)) for name, value in recursive.renamed(result.columns)]
                recursive.rows = max(result.rows, _RECURSIVE_ROWS)
            other = self.query(step["rarg"], outer, ctes)
            if len(other.columns) != len(result.columns):
                raise Refusal(
                    "set_operation", step["op"].removeprefix("SETOP_"), "Give both sides the same number of columns."
                )
            columns = [
                (
                    name,
                    # Each side may get a copy of the expression around it.
                    one_of([first, second])._replace(weight=first.weight + second.weight)
                    if recursive is None
                    else grown(name, first, second),
                )
                for (name, first), (_, second) in zip(result.columns, other.columns, strict=True)
            ]
            result = QueryResult(columns, result.rows + other.rows if recursive is None else recursive.rows)
        self.order_and_limit(node, _results_scope(result.columns, outer, ctes), {name for name, _ in result.columns})
        return result

    def _with(self, clause: Node, outer: Scope | None, ctes: Ctes) -> Ctes:
        """The CTEs visible below a WITH clause: of a plain one each sees those before it, of a recursive one all."""
        check_fields("WithClause", clause)
        visible: dict[str, Cte] = dict(ctes)
        defined: list[Cte] = []
        for node in clause["ctes"]:
            cte = defined_cte(node["CommonTableExpr"], outer)
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
            before = self.findings.weight
            result = self.query(query, cte.outer, cte.visible, recursive)
            cte.columns = cte.renamed(result.columns)
            if cte.materialized:
                cte.columns = [(name, value._replace(weight=1.0)) for name, value in cte.columns]
            # Copies of its plan, which may be many.
            self.findings.collects |= cte.copied
            cte.weight, self.findings.weight = self.findings.weight - before, before
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
        array = array_of(values, result.rows * sum(value.size + FIXED_SIZE for value in values))
        value = bounded(array.size, array.shape, "subquery", array.element)
        self.findings.collects |= kind == "ARRAY_SUBLINK"
        return value if kind == "ARRAY_SUBLINK" else FIXED

    def json_array(self, body: Node, scope: Scope) -> Value:
        """JSON_ARRAY(SELECT ...)"""
        check_fields("JsonFormat", body["format"])
        result = self.query(body["query"]["SelectStmt"], scope, scope.ctes)
        self.findings.collects = True
        size = result.rows * (quoted([value for _, value in result.columns]) + FIXED_SIZE)
        return self.json_output(body, bounded(size, Shape.DOCUMENT, "JSON_ARRAY"))


QueryWalk.visits = SelectWalk.visits | with_fields(
    {"JsonArrayQueryConstructor": QueryWalk.json_array, "SubLink": QueryWalk.sublink}
)


def _continues(node: Node) -> bool:
    """Whether the left side of a set operation is one itself, without clauses of its own."""
    return node["op"] != "SETOP_NONE" and node.keys() <= {"op", "all", "larg", "rarg", "limitOption"}


def _results_scope(columns: list[Column], outer: Scope | None, ctes: Ctes) -> Scope:
    """ORDER BY of a set operation sees its results only."""
    return Scope([], columns, outer, ctes)
