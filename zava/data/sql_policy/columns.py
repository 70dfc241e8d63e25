"""Column references: each must find a column that is known, or it would be a call of a function of that name."""

from __future__ import annotations

from typing import Final

from zava.data.retail_schema import RETAIL_SCHEMA
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.refusals import refused_column
from zava.data.sql_policy.scope import Scope, Source, refuse_system_name
from zava.data.sql_policy.values import Row, Shape, Value
from zava.data.sql_policy.verdict import Refusal

_ALIAS_REASON: Final = "Repeat the expression, because a result alias works only on its own in GROUP BY and ORDER BY"


def resolve_column(parts: list[str], scope: Scope) -> Value:
    """The value that `parts`, the names between the dots, refer to: a column, or the whole row of a source.

    Raises:
        Refusal: `column` or `system_column`.
    """
    name = parts[-1]
    if len(parts) == 1:
        value = scope.column(name)
        if value is not None:
            return value
        refuse_system_name(name)
        source = scope.source(name)
        if source is None:
            raise refused_column(name, name, scope.names(), _ALIAS_REASON if name in scope.result_names() else "")
        return source.row()
    source = resolve_source(parts[:-1], scope)
    value = source.columns.get(name)
    if value is None:
        refuse_system_name(name)
        raise refused_column(".".join(parts), name, list(source.columns), f"There is no such column in {parts[-2]}")
    return value


def resolve_source(parts: list[str], scope: Scope) -> Source:
    """The source that qualifies a column: `alias` or `retail.table`.

    Raises:
        Refusal: `column` or `system_column`.
    """
    source: Source | None = None
    if len(parts) == 1:
        source = scope.source(parts[0])
    elif len(parts) == 2 and parts[0] == RETAIL_SCHEMA:
        source = scope.source(parts[1], RETAIL_SCHEMA)
    if source is None:
        for part in parts:
            refuse_system_name(part)
        known = [source.name for level in scope.levels() for source in level.sources if source.name]
        raise Refusal(
            "column",
            ".".join(parts),
            f"Qualify columns with a table or alias of this FROM clause: {', '.join(known[:30]) or 'it has none'}.",
        )
    return source


def select_field(row: Value, name: str) -> Value:
    """The value of `(row).name`.

    Raises:
        Refusal: `field` when the row's columns are not known for certain, or have no such name.
    """
    refuse_system_name(name)
    known = list(row.shape.columns) if isinstance(row.shape, Row) else []
    if name not in known:
        raise Refusal(
            "field",
            f"(...).{name}",
            "Name the column of a table or subquery in FROM instead of a field of a value"
            + (f": this row has {', '.join(known[:60])}." if known else "."),
        )
    return row.shape.columns[name] if isinstance(row.shape, Row) else row


def result_value(value: Value) -> Value:
    """The value as a column of a query's result: only the row type of a table stays known from outside."""
    if isinstance(value.shape, Row) and not value.shape.named:
        return value._replace(shape=Shape.OPAQUE)
    return value


def column_parts(fields: list[Node]) -> tuple[list[str], bool]:
    """The names of a ColumnRef, and whether it ends in `*`."""
    if "A_Star" in fields[-1]:
        return [field["String"]["sval"] for field in fields[:-1]], True
    if len(fields) == 1:
        return [fields[0]["String"]["sval"]], False
    return [field["String"]["sval"] for field in fields], False
