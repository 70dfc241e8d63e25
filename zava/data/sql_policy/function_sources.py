"""The walk through functions in FROM: which columns a call gives there, and under which names.

PostgreSQL decides by the type of the result (`addRangeTableEntryForFunction`): a row gives its columns, any other
value one column, named after the function's OUT parameter, the alias or the function. The bare name of a function that
gives one value is that value, not a row: `(g).f` would call `f` with it, whatever its column is called.
"""

from __future__ import annotations

from typing import NamedTuple

from zava.data.sql_policy.functions import FUNCTIONS, OUT_COLUMN, SET_RETURNING, Result
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.nodes import check_fields, only_node
from zava.data.sql_policy.output_names import output_name
from zava.data.sql_policy.scope import FromItem, Scope, Source, alias_name, refuse_system_name, renamed
from zava.data.sql_policy.sizes import set_rows
from zava.data.sql_policy.sql_json import JsonWalk
from zava.data.sql_policy.type_names import check_collation, check_type
from zava.data.sql_policy.values import FIXED, Column, Row, Shape, Value
from zava.data.sql_policy.verdict import Refusal


class _Call(NamedTuple):
    """The columns that one call gives; `whole` is its value if that is no row."""

    columns: list[Column]
    rows: float
    whole: Value | None


class FunctionWalk(JsonWalk):
    """Visits RangeFunction nodes."""

    def function_source(self, body: Node, scope: Scope) -> FromItem:
        """The item `function(...) AS alias(...)`; its arguments see `scope`."""
        check_fields("RangeFunction", body)
        alias: Node | None = body.get("alias")
        name = alias_name(alias)
        items = [node["List"]["items"] for node in body["functions"]]
        calls: list[_Call] = []
        for function, definitions in items:
            listed = definitions["List"]["items"] if definitions else body.get("coldeflist", [])
            # Only a call that stands alone gives its column the alias' name.
            calls += self._calls(function, listed, name if len(items) == 1 else None, scope)
        columns = [column for call in calls for column in call.columns]
        alone = len(calls) == 1 and "ordinality" not in body
        if "ordinality" in body:
            columns.append(("ordinality", FIXED))
        columns = renamed(columns, alias)
        # A call named by nothing is named by itself.
        source = Source(
            name or output_name(items[0][0], self.subquery_columns), columns, whole=calls[0].whole if alone else None
        )
        return FromItem([source], columns, max(call.rows for call in calls))

    def _calls(self, node: Node, definitions: list[Node], alias: str | None, scope: Scope) -> list[_Call]:
        kind, body = only_node(node)
        name = body["funcname"][-1]["String"]["sval"] if kind == "FuncCall" else ""
        if name == "unnest":
            return self._unnest(body, definitions, alias, scope)
        value = self.expression(node, scope)
        rows = set_rows(name, body.get("args", []), [value]) if name in SET_RETURNING else 1.0
        result = FUNCTIONS.get(name)
        if bool(definitions) != (result is Result.RECORD):
            raise Refusal(
                "column_definitions",
                name or kind,
                "Give a column list with types to json_to_record and its kin, and to no other: "
                "jsonb_to_recordset(x) AS t(a integer, b text).",
            )
        if definitions:
            return [_Call([self._definition(definition, value) for definition in definitions], rows, None)]
        if isinstance(value.shape, Row):
            return [_Call(list(value.shape.columns.items()), rows, None)]
        if value.shape is Shape.OPAQUE:
            raise _row_value(name or kind)
        column = OUT_COLUMN.get(name) or alias or output_name(node, self.subquery_columns)
        return [_Call([(column, value)], rows, value)]

    def _unnest(self, body: Node, definitions: list[Node], alias: str | None, scope: Scope) -> list[_Call]:
        """unnest(a, b, ...) is a call for each argument."""
        check_fields("FuncCall", body)
        self.function_name(body)
        arguments: list[Node] = body.get("args", [])
        if definitions or not arguments or not body.keys() <= {"funcname", "args", "funcformat", "location"}:
            raise Refusal("column_definitions", "unnest", "Write unnest(array) AS t(column) without anything else.")
        calls: list[_Call] = []
        for argument in arguments:
            value = self.expression(argument, scope)
            rows = set_rows("unnest", [argument], [value])
            if value.shape is Shape.TSVECTOR:
                lexeme = Value(value.size, Shape.PLAIN)
                array = Value(value.size, Shape.ARRAY)
                columns: list[Column] = [("lexeme", lexeme), ("positions", array), ("weights", array)]
                calls.append(_Call(columns, rows, None))
            elif value.shape is Shape.ARRAY:
                element = Value(value.parts(), Shape.PLAIN)
                column = alias if alias and len(arguments) == 1 else "unnest"
                calls.append(_Call([(column, element)], rows, element))
            else:
                raise _row_value("unnest")
        return calls

    def _definition(self, node: Node, value: Value) -> Column:
        definition = node["ColumnDef"]
        check_fields("ColumnDef", definition)
        refuse_system_name(definition["colname"])
        if "collClause" in definition:
            check_collation(definition["collClause"])
        name, target = check_type(definition["typeName"], self.findings)
        return definition["colname"], self.read_value(name, target, value.size)


def _row_value(name: str) -> Refusal:
    return Refusal(
        "row_value",
        f"{name}()",
        "Give unnest() an array of plain values, with a cast such as x::text[] if its type does not show, and name the "
        "columns you need instead of whole rows.",
    )
