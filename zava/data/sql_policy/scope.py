"""Which names are visible where: the range tables and columns of each query level, as PostgreSQL resolves them.

Exactness matters. `o.f` and `(o).f` call the function `f` when `o` has no column `f`, so a reference is accepted only
if it finds the very column that PostgreSQL finds: columns before whole rows, inner levels before outer ones, names
inside an aliased join hidden (`parse_relation.c`, `colNameToVar`, `refnameNamespaceItem`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from zava.data.retail_schema import LARGE_COLUMNS, RETAIL_SCHEMA, RETAIL_TABLES
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.nodes import check_fields, strings
from zava.data.sql_policy.values import FIXED, Column, Row, Shape, Value
from zava.data.sql_policy.verdict import Refusal
from zava.data.sql_policy.vocabulary import SYSTEM_COLUMNS

if TYPE_CHECKING:
    from zava.data.sql_policy.ctes import Cte


class Source:
    """One entry of FROM under the name by which it is qualified.

    `schema` is set where `schema.name.column` works: on a table without an alias. `whole` is what the bare name stands
    for, if it is not an anonymous row of the columns: the row type of a table, or the very value that a function
    returns.
    """

    __slots__ = ("columns", "name", "order", "schema", "whole")

    def __init__(
        self,
        name: str | None,
        order: list[Column],
        *,
        columns: Mapping[str, Value] | None = None,
        schema: str | None = None,
        whole: Value | None = None,
    ) -> None:
        self.name = name
        self.order = order
        self.columns = by_name(order) if columns is None else columns
        self.schema = schema
        self.whole = whole

    def row(self) -> Value:
        """What the bare name stands for."""
        return self.whole or row_of(self.order, self.columns, named=False)


class FromItem(NamedTuple):
    """What an item of FROM makes visible: sources to qualify with, columns to name bare (in the order of `*`)."""

    sources: list[Source]
    columns: list[Column]
    rows: float


class Scope:
    """The names of one query level (`sources` for qualified ones, `columns` for bare ones) inside those of `outer`.

    `rows` estimates how many rows the level has; a set-returning function among the results multiplies it by
    `expansion`; `aggregated` tells that an aggregate makes one row of them. `targets` is the select list; `ctes` are
    the WITH queries that a subquery in an expression may name.
    """

    __slots__ = ("_columns", "_order", "aggregated", "ctes", "expansion", "outer", "rows", "sources", "targets")

    def __init__(
        self,
        sources: Iterable[Source],
        columns: Iterable[Column],
        outer: Scope | None,
        ctes: Mapping[str, Cte],
        rows: float = 1.0,
    ) -> None:
        self.sources = list(sources)
        self._order = columns
        self._columns: Mapping[str, Value] | None = None
        self.outer = outer
        self.ctes = ctes
        self.rows = rows
        self.expansion = 1.0
        self.aggregated = False
        self.targets: list[Node] = []

    def columns(self) -> Mapping[str, Value]:
        """The bare names of this level; most queries of several tables qualify theirs and never ask."""
        if self._columns is None:
            self._columns = by_name(self._order)
        return self._columns

    def levels(self) -> Iterator[Scope]:
        level: Scope | None = self
        while level is not None:
            yield level
            level = level.outer

    def column(self, name: str) -> Value | None:
        level: Scope | None = self
        while level is not None:
            value = level.columns().get(name)
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
        return list(dict.fromkeys(name for level in self.levels() for name in level.columns()))

    def result_names(self) -> list[str]:
        """The names that AS gives to results of this level."""
        return [target["ResTarget"].get("name", "") for target in self.targets]


def renamed(columns: list[Column], alias: Node | None) -> list[Column]:
    """The columns under the names of an alias such as `t(a, b)`, which may name fewer than there are.

    Raises:
        Refusal: `column_alias` or `system_column`.
    """
    names = [] if alias is None else strings(alias.get("colnames", []))
    if not names:
        return columns
    if len(names) > len(columns):
        raise Refusal(
            "column_alias", names[len(columns)], f"Name at most the {len(columns)} columns that there are in the alias."
        )
    for name in names:
        refuse_system_name(name)
    return [(name, value) for name, (_, value) in zip(names, columns, strict=False)] + columns[len(names) :]


def alias_name(alias: Node | None) -> str | None:
    """The name an alias gives.

    Raises:
        Refusal: `system_column`.
    """
    if alias is None:
        return None
    check_fields("Alias", alias)
    name: str = alias["aliasname"]
    refuse_system_name(name)
    return name


def refuse_system_name(name: str) -> None:
    """Refuse a name of a system column, whatever it is used for.

    An alias of that name would make `(tableoid).f` mean something else here than in PostgreSQL.

    Raises:
        Refusal: `system_column`.
    """
    if name in SYSTEM_COLUMNS:
        raise Refusal("system_column", name, "Use the columns of the table; rows are identified by their key columns.")


def row_of(order: list[Column], columns: Mapping[str, Value], *, named: bool) -> Value:
    weight = sum(value.weight for _, value in order)
    return Value(sum(value.size + 8 for _, value in order), Row(columns, named), weight=weight)


def by_name(columns: Iterable[Column]) -> dict[str, Value]:
    """Columns by name; one that stands there twice is ambiguous, so nothing is known of it."""
    named: dict[str, Value] = {}
    for name, value in columns:
        named[name] = value if name not in named else Value(max(value.size, named[name].size), Shape.OPAQUE)
    return named


_USUAL_TEXT: Final = 64.0


def _table(name: str, types: Mapping[str, str]) -> Source:
    order: list[Column] = [
        (
            column,
            Value(LARGE_COLUMNS.get(column, _USUAL_TEXT), Shape.PLAIN) if kind in ("text", "vector") else FIXED,
        )
        for column, kind in types.items()
    ]
    columns = by_name(order)
    return Source(name, order, columns=columns, schema=RETAIL_SCHEMA, whole=row_of(order, columns, named=True))


TABLES: Final[Mapping[str, Source]] = {name: _table(name, types) for name, types in RETAIL_TABLES.items()}
