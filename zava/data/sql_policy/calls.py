"""The walk through function calls, with all that may hang on one: ORDER BY, FILTER, OVER, WITHIN GROUP."""

from __future__ import annotations

from zava.data.sql_policy.expressions import ExpressionWalk, with_fields
from zava.data.sql_policy.functions import AGGREGATES, FUNCTIONS, SET_RETURNING, VOLATILE, Result
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.json_paths import literal_path
from zava.data.sql_policy.limits import MAX_WIDTH
from zava.data.sql_policy.nodes import check_fields, strings
from zava.data.sql_policy.refusals import refused_function
from zava.data.sql_policy.scope import Scope
from zava.data.sql_policy.sizes import call_value, set_rows
from zava.data.sql_policy.special_sizes import SIZE_MAKERS, literal_size
from zava.data.sql_policy.type_names import cast_source, check_operator, reads_clock
from zava.data.sql_policy.values import Value
from zava.data.sql_policy.verdict import Refusal


class CallWalk(ExpressionWalk):
    """Visits calls; `collecting` and `sizing` count the aggregates and size makers the walk is inside of."""

    def __init__(self) -> None:
        super().__init__()
        self.collecting = 0
        self.sizing = 0

    def function_name(self, body: Node) -> str:
        """The name of a function on the list.

        Raises:
            Refusal: the rule that `refusals.refused_function` knows for it, or `function_schema`.
        """
        names = body["funcname"]
        if len(names) == 1 and (bare := names[0]["String"]["sval"]) in FUNCTIONS:
            self.findings.functions.add(bare)
            return bare
        *schema, name = strings(names)
        if schema not in ([], ["pg_catalog"]):
            raise Refusal(
                "function_schema",
                f"{'.'.join([*schema, name])}()",
                "Call PostgreSQL's own functions by their bare name.",
            )
        if name not in FUNCTIONS:
            raise refused_function(name)
        self.findings.functions.add(name)
        return name

    def function_call(self, body: Node, scope: Scope) -> Value:
        name = self.function_name(body)
        arguments: list[Node] = body.get("args", [])
        if name.startswith("jsonb_path_"):
            arguments = [*arguments[:1], *map(literal_path, arguments[1:2]), *arguments[2:]]
        collects = FUNCTIONS[name] is Result.COLLECTED
        sizes = name in SIZE_MAKERS
        if sizes:
            self._refuse_nested(name, arguments)
        self.findings.collects |= collects
        self.collecting += collects
        self.sizing += sizes
        values = self.expressions(arguments, scope)
        self.collecting -= collects
        self.sizing -= sizes
        ordered = self.sort(body["agg_order"], scope) if "agg_order" in body else []
        self.optional(body.get("agg_filter"), scope)
        if "over" in body:
            self.window(body["over"], scope)
        elif collects or name in AGGREGATES or "agg_within_group" in body:
            scope.aggregated = True
        if name in VOLATILE or (name == "age" and len(arguments) < 2):
            self.findings.volatile = True
        if len(arguments) == 1:  # `date(x)` is `x::date`
            self.findings.volatile |= reads_clock(name, cast_source(arguments[0], values[0]))
        if "agg_within_group" in body:
            values += ordered
        if name in SET_RETURNING:
            scope.expansion = max(scope.expansion, set_rows(name, arguments, values))
        return call_value(name, arguments, values, scope)

    def _refuse_nested(self, name: str, arguments: list[Node]) -> None:
        """A size maker must not multiply with another one, nor with the rows of a group."""
        if self.sizing or (self.collecting and name == "repeat"):
            raise Refusal(
                "nested_size",
                name,
                f"Take {name}() out of the other call: no repeat, lpad or rpad inside each other, no repeat inside an "
                "aggregate.",
            )
        if self.collecting:
            literal_size(name, arguments, MAX_WIDTH)

    def sort(self, nodes: list[Node] | tuple[()], scope: Scope) -> list[Value]:
        """ORDER BY inside a call or a window: expressions only, no result aliases."""
        values: list[Value] = []
        for node in nodes:
            values.append(self.expression(self.sort_key(node), scope))
        return values

    def sort_key(self, node: Node) -> Node:
        """The expression of a SortBy, its operator checked."""
        sort = node["SortBy"]
        check_fields("SortBy", sort)
        if "useOp" in sort:
            check_operator(sort["useOp"], self.findings)
        key: Node = sort["node"]
        return key

    def window(self, body: Node, scope: Scope) -> None:
        check_fields("WindowDef", body)
        self.expressions(body.get("partitionClause", ()), scope)
        self.sort(body.get("orderClause", ()), scope)
        self.optional(body.get("startOffset"), scope)
        self.optional(body.get("endOffset"), scope)


CallWalk.visits = ExpressionWalk.visits | with_fields({"FuncCall": CallWalk.function_call})
