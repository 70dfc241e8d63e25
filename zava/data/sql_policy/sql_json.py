"""The walk through SQL/JSON: constructors, aggregates, predicates and query functions, and JSON_TABLE's columns."""

from __future__ import annotations

from typing import Final

from zava.data.sql_policy.calls import CallWalk
from zava.data.sql_policy.digits import NUMERIC_TYPES, cast_value, number, text_size
from zava.data.sql_policy.expressions import with_fields
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.growth import bounded, quoted
from zava.data.sql_policy.json_paths import check_path, literal_path
from zava.data.sql_policy.nodes import check_fields, only_node, unknown
from zava.data.sql_policy.scope import Scope
from zava.data.sql_policy.type_names import check_type
from zava.data.sql_policy.values import FIXED, FIXED_SIZE, Column, QueryResult, Shape, Value

_FUNCTIONS: Final = {
    "JSON_EXISTS_OP": "json_exists",
    "JSON_QUERY_OP": "json_query",
    "JSON_VALUE_OP": "json_value",
}
_COLUMN_KINDS: Final = frozenset("JTC_FOR_ORDINALITY JTC_REGULAR JTC_EXISTS JTC_FORMATTED JTC_NESTED".split())


class JsonWalk(CallWalk):
    """Visits the nodes whose names begin with Json."""

    def json_value(self, body: Node, scope: Scope) -> Value:
        """An argument: `expression FORMAT JSON`."""
        check_fields("JsonValueExpr", body)
        check_fields("JsonFormat", body["format"])
        value = self.expression(body["raw_expr"], scope)
        return value if body["format"]["format_type"] == "JS_FORMAT_DEFAULT" else self._document(body, value)

    def context_item(self, body: Node, scope: Scope) -> Value:
        """The document that a path is applied to."""
        return self._document(body, self.json_value(body, scope))

    def _document(self, body: Node, value: Value) -> Value:
        """A text, or a document already, that is read as JSON."""
        return cast_value(body["raw_expr"], value, "jsonb", Value(FIXED_SIZE, Shape.DOCUMENT))

    def json_output(self, body: Node, value: Value) -> Value:
        """The RETURNING clause of `body`, if it has one, decides the type."""
        output: Node | None = body.get("output")
        if output is None:
            return value
        check_fields("JsonOutput", output)
        check_fields("JsonReturning", output["returning"])
        check_fields("JsonFormat", output["returning"].get("format", {}))
        name, target = check_type(output["typeName"], self.findings)
        return self.read_value(name, target, value.size)

    def key_value(self, body: Node, scope: Scope) -> float:
        check_fields("JsonKeyValue", body)
        return quoted([self.expression(body["key"], scope), self.json_value(body["value"], scope)])

    def behaviour(self, body: Node | None, scope: Scope) -> None:
        """ON EMPTY and ON ERROR."""
        if body is not None:
            check_fields("JsonBehavior", body)
            self.optional(body.get("expr"), scope)

    def passing(self, body: Node, scope: Scope) -> float:
        size = 0.0
        for node in body.get("passing", ()):
            argument = node["JsonArgument"]
            check_fields("JsonArgument", argument)
            size += self.json_value(argument["val"], scope).size
        return size

    def constructor(self, body: Node, scope: Scope) -> Value:
        """JSON_OBJECT(...) and JSON_ARRAY(...)."""
        size = FIXED_SIZE
        for node in body.get("exprs", ()):
            if "JsonKeyValue" in node:
                size += self.key_value(node["JsonKeyValue"], scope)
            else:
                size += quoted([self.json_value(node["JsonValueExpr"], scope)])
        return self.json_output(body, bounded(size, Shape.DOCUMENT, "JSON constructor"))

    def aggregate(self, body: Node, scope: Scope) -> Value:
        """JSON_OBJECTAGG(...) and JSON_ARRAYAGG(...)."""
        constructor: Node = body["constructor"]
        check_fields("JsonAggConstructor", constructor)
        self.findings.collects = True
        self.collecting += 1
        argument: Node = body["arg"]
        is_object = "key" in argument
        size = self.key_value(argument, scope) if is_object else quoted([self.json_value(argument, scope)])
        self.collecting -= 1
        self.sort(constructor.get("agg_order", ()), scope)
        self.optional(constructor.get("agg_filter"), scope)
        if "over" in constructor:
            self.window(constructor["over"], scope)
        else:
            scope.aggregated = True
        self.findings.functions.add("json_objectagg" if is_object else "json_arrayagg")
        value = bounded((size + FIXED_SIZE) * scope.rows, Shape.DOCUMENT, "JSON aggregate")
        return self.json_output(constructor, value)

    def json_function(self, body: Node, scope: Scope) -> Value:
        """JSON_EXISTS, JSON_VALUE and JSON_QUERY."""
        if body["op"] not in _FUNCTIONS or "column_name" in body:
            raise unknown(body["op"])
        self.findings.functions.add(_FUNCTIONS[body["op"]])
        size = self.context_item(body["context_item"], scope).size + self.passing(body, scope)
        path = self.expression(literal_path(body["pathspec"]), scope).size
        self.behaviour(body.get("on_empty"), scope)
        self.behaviour(body.get("on_error"), scope)
        if body["op"] == "JSON_EXISTS_OP":
            return FIXED
        shape = Shape.DOCUMENT if body["op"] == "JSON_QUERY_OP" else Shape.PLAIN
        return self.json_output(body, bounded(size * max(1.0, path / 4), shape, _FUNCTIONS[body["op"]]))

    def is_json(self, body: Node, scope: Scope) -> Value:
        check_fields("JsonFormat", body["format"])
        self.expression(body["expr"], scope)
        return FIXED

    def parsed(self, body: Node, scope: Scope) -> Value:
        """JSON(x)"""
        return self.json_output(body, bounded(self.context_item(body["expr"], scope).size, Shape.DOCUMENT, "JSON"))

    def scalar(self, body: Node, scope: Scope) -> Value:
        """JSON_SCALAR(x)"""
        value = self.expression(body["expr"], scope)
        return self.json_output(body, bounded(quoted([value]), Shape.DOCUMENT, "JSON_SCALAR"))

    def serialized(self, body: Node, scope: Scope) -> Value:
        """JSON_SERIALIZE(x)"""
        return self.json_output(body, Value(self.json_value(body["expr"], scope).size, Shape.PLAIN))

    def table_result(self, body: Node, scope: Scope) -> QueryResult:
        """The columns of JSON_TABLE(...), whose arguments see `scope`."""
        check_fields("JsonTable", body)
        size = self.context_item(body["context_item"], scope).size + self.passing(body, scope)
        size *= max(1.0, self._path(body["pathspec"]) / 4)
        self.behaviour(body.get("on_error"), scope)
        self.findings.functions.add("json_table")
        return QueryResult(self._table_columns(body["columns"], size, scope), max(1.0, min(1_000.0, size / 8)))

    def _table_columns(self, nodes: list[Node], size: float, scope: Scope) -> list[Column]:
        """The columns of one level, then those of the levels nested in it: PostgreSQL's order."""
        columns: list[Column] = []
        nested: list[Column] = []
        for node in nodes:
            column: Node = node["JsonTableColumn"]
            check_fields("JsonTableColumn", column)
            if column["coltype"] not in _COLUMN_KINDS:
                raise unknown(column["coltype"])
            growth = max(1.0, self._path(column["pathspec"]) / 4) if "pathspec" in column else 1.0
            self.behaviour(column.get("on_empty"), scope)
            self.behaviour(column.get("on_error"), scope)
            if "format" in column:
                check_fields("JsonFormat", column["format"])
            if column["coltype"] == "JTC_NESTED":
                nested += self._table_columns(column["columns"], size * growth, scope)
            elif "typeName" in column:
                name, target = check_type(column["typeName"], self.findings)
                columns.append((column["name"], self.read_value(name, target, size * growth)))
            else:
                columns.append((column["name"], FIXED))
        return columns + nested

    def read_value(self, type_name: str, target: Value, size: float) -> Value:
        """A value of a type that `check_type` knows, read from a document of `size`: only a numeric has many digits."""
        if target.shape is not Shape.FIXED:
            return bounded(max(size, target.size), target.shape, type_name)
        return number(max(size, target.size)) if type_name in NUMERIC_TYPES else FIXED

    def _path(self, body: Node) -> float:
        """The size of a path, which is always a literal."""
        check_fields("JsonTablePathSpec", body)
        kind, constant = only_node(body["string"])
        check_fields(kind, constant)
        check_path(constant["sval"]["sval"])
        return text_size(constant["sval"]["sval"])


JsonWalk.visits = CallWalk.visits | with_fields(
    {
        "JsonArrayAgg": JsonWalk.aggregate,
        "JsonArrayConstructor": JsonWalk.constructor,
        "JsonFuncExpr": JsonWalk.json_function,
        "JsonIsPredicate": JsonWalk.is_json,
        "JsonObjectAgg": JsonWalk.aggregate,
        "JsonObjectConstructor": JsonWalk.constructor,
        "JsonParseExpr": JsonWalk.parsed,
        "JsonScalarExpr": JsonWalk.scalar,
        "JsonSerializeExpr": JsonWalk.serialized,
        "JsonValueExpr": JsonWalk.json_value,
    }
)
