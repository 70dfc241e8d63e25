"""Which names are visible where: the range tables and columns of each query level, as PostgreSQL resolves them.

Exactness matters. `o.f` and `(o).f` call the function `f` when `o` has no column `f`, so a reference is accepted only
if it finds the very column that PostgreSQL finds: columns before whole rows, inner levels before outer ones, names
inside an aliased join hidden (`parse_relation.c`, `colNameToVar`, `refnameNamespaceItem`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from zava.data.retail_schema import RETAIL_SCHEMA, RETAIL_TABLES
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.values import FIXED, Column, Row, Shape, Value


class Source:
    """One entry of FROM under the name by which it is qualified.

    `schema` is set where `schema.name.column` works: on a table without an alias. `whole` is what the bare name stands
    for, if it is not an anonymous row of the columns: the row type of a table, or the very value that a function
    returns. `qualified` are the columns that `name.column` surely finds: fewer than `columns` for a function whose
    columns depend on an argument's type that is not known.
    """

    __slots__ = ("columns", "name", "order", "qualified", "schema", "whole")

    def __init__(
        self,
        name: str | None,
        order: list[Column],
        *,
        columns: Mapping[str, Value] | None = None,
        schema: str | None = None,
        whole: Value | None = None,
        qualified: Mapping[str, Value] | None = None,
    ) -> None:
        self.name = name
        self.order = order
        self.columns = by_name(order) if columns is None else columns
        self.schema = schema
        self.whole = whole
        self.qualified = self.columns if qualified is None else qualified

    def row(self) -> Value:
        """What the bare name stands for."""
        return self.whole or row_of(self.order, self.columns, named=False)


class Scope:
    """The names of one query level (`sources` for qualified ones, `columns` for bare ones) inside those of `outer`.

    `rows` estimates how many rows the level has; a set-returning function among the results multiplies it by
    `expansion`; `aggregated` tells that an aggregate makes one row of them. `targets` is the select list.
    """

    __slots__ = ("aggregated", "columns", "expansion", "outer", "rows", "sources", "targets")

    def __init__(
        self, sources: Iterable[Source], columns: Iterable[Column], outer: Scope | None, rows: float = 1.0
    ) -> None:
        self.sources = list(sources)
        self.columns = by_name(columns)
        self.outer = outer
        self.rows = rows
        self.expansion = 1.0
        self.aggregated = False
        self.targets: list[Node] = []

    def levels(self) -> Iterator[Scope]:
        level: Scope | None = self
        while level is not None:
            yield level
            level = level.outer

    def column(self, name: str) -> Value | None:
        level: Scope | None = self
        while level is not None:
            value = level.columns.get(name)
            if value is not None:
                return value
            level = level.outer
        return None

    def source(self, name: str, schema: str | None = None) -> Source | None:
        level: Scope | None = self
        while level is not None:
            for source in level.sources:
                if source.name == name and (schema is None or source.schema == schema):
                    return source
            level = level.outer
        return None

    def names(self) -> list[str]:
        """Every bare name that would be found, inner levels first."""
        return list(dict.fromkeys(name for level in self.levels() for name in level.columns))

    def result_names(self) -> list[str]:
        """The names that AS gives to results of this level."""
        return [target["ResTarget"].get("name", "") for target in self.targets]


def row_of(order: list[Column], columns: Mapping[str, Value], *, named: bool) -> Value:
    return Value(sum(value.size + 8 for _, value in order), Row(columns, named))


def by_name(columns: Iterable[Column]) -> dict[str, Value]:
    """Columns by name; one that stands there twice is ambiguous, so nothing is known of it."""
    named: dict[str, Value] = {}
    for name, value in columns:
        named[name] = value if name not in named else Value(max(value.size, named[name].size), Shape.OPAQUE)
    return named


# Bytes of a text column that is longer than the usual, and of a vector written out.
_LARGE_COLUMNS: Final = {"product_description": 400.0, "description_embedding": 20_000.0}
_USUAL_TEXT: Final = 64.0
# Rows that an honest query of head office puts into one group or list: a fifth of the largest tables.
TABLE_ROWS: Final[Mapping[str, float]] = {
    "stores": 10.0,
    "categories": 10.0,
    "product_types": 100.0,
    "products": 1_000.0,
    "product_description_embeddings": 1_000.0,
    "inventory": 5_000.0,
    "customers": 10_000.0,
    "orders": 40_000.0,
    "order_items": 100_000.0,
}


def _table(name: str, types: Mapping[str, str]) -> Source:
    order: list[Column] = [
        (
            column,
            Value(_LARGE_COLUMNS.get(column, _USUAL_TEXT), Shape.PLAIN) if kind in ("text", "vector") else FIXED,
        )
        for column, kind in types.items()
    ]
    columns = by_name(order)
    return Source(name, order, columns=columns, schema=RETAIL_SCHEMA, whole=row_of(order, columns, named=True))


TABLES: Final[Mapping[str, Source]] = {name: _table(name, types) for name, types in RETAIL_TABLES.items()}
