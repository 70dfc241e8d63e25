"""Runs one allowed statement for one tenant and brings back what fits: at most so many rows, at most so many bytes.

The statement is wrapped as `SELECT * FROM (...) AS q LIMIT n + 1`: PostgreSQL then plans for n rows, and the row too
many says that there are more. Cells of unbounded types are cut by the server, so that no answer is ever larger in this
process than a few rows of `max_bytes`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from asyncpg.types import Attribute
from pydantic import JsonValue
from pydantic_core import from_json, to_json

from zava.data.json_values import json_value
from zava.data.repeated_read import repeated_read
from zava.data.tenant_context import TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.errors import QueryError
from zava.platform.tracing import Steps, describe

_BOUNDED_TYPES = frozenset(
    "bool int2 int4 int8 float4 float8 numeric date time timetz timestamp timestamptz interval uuid".split()
)
_TEXT_TYPES = frozenset("text varchar bpchar name".split())
_VECTOR_TYPES = frozenset("vector halfvec sparsevec".split())
_VECTOR_CHARACTERS = 64  # a few of its 1536 numbers show what it is; nobody can read more of one
_BATCH_ROWS = 100


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """`max_bytes` bounds the rows as compact JSON; `timeout_seconds` bounds the statement."""

    max_rows: int
    max_bytes: int
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Unique column names, rows of JSON values, and whether something was left out (`notice` says what to do)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[JsonValue, ...], ...]
    truncated: bool
    notice: str


class QueryRunner:
    def __init__(self, transactions: TenantTransactions, limits: QueryLimits) -> None:
        self._transactions = transactions
        self._limits = limits

    async def run(
        self, statement: str, scope: TenantScope, *, deadline: float, at_most_seconds: float = math.inf
    ) -> QueryResult:
        """Run `statement`, which the SQL policy has allowed, and return its first rows.

        `at_most_seconds` shortens the limit of `QueryLimits` for this statement. If the connection breaks it is run
        again, in a transaction of its own.

        Raises:
            QueryError: a date, time or interval is beyond what can be shown; the hint says how to see it.
            DatabaseError: and its kin, as `TenantTransactions.open` lists them.
        """
        seconds = min(self._limits.timeout_seconds, at_most_seconds)
        return await repeated_read(lambda: self._run_once(statement, scope, seconds, deadline), deadline=deadline)

    async def _run_once(self, statement: str, scope: TenantScope, seconds: float, deadline: float) -> QueryResult:
        steps = Steps()
        try:
            async with self._transactions.open(scope, timeout_seconds=seconds, deadline=deadline) as connection:
                steps.ended("zava.query.opening_ms")
                result = await self._rows(connection, statement)
                steps.ended("zava.query.statement_ms")
            steps.ended("zava.query.closing_ms")
        finally:
            describe(steps.milliseconds)
        return result

    async def _rows(self, connection: PoolConnectionProxy, statement: str) -> QueryResult:
        # Newlines, so that a trailing -- comment of the statement ends before the bracket.
        source = f"(\n{statement}\n)"
        limit = f"LIMIT {self._limits.max_rows + 1}"
        prepared = await connection.prepare(f"SELECT * FROM {source} AS q {limit}")  # noqa: S608  (the policy allowed it)
        attributes = prepared.get_attributes()
        if all(_is_bounded(attribute) for attribute in attributes):
            with _within_the_calendar():
                records = await prepared.fetch()
            return self._bounded_result(attributes, records)
        cells = _Cells(attributes, self._limits.max_bytes)
        query = f"SELECT {cells.projection} FROM {source} AS q({cells.names}) {limit}"  # noqa: S608
        cut = await connection.prepare(query)
        return await self._cut_result(cells, aiter(cut.cursor(prefetch=_BATCH_ROWS)))

    def _bounded_result(self, attributes: Sequence[Attribute], records: Sequence[asyncpg.Record]) -> QueryResult:
        rows = [tuple(json_value(value) for value in record.values()) for record in records]
        collector = _Collector(self._limits)
        for row in rows:
            if not collector.take(row):
                break
        return collector.result(attributes)

    async def _cut_result(self, cells: _Cells, records: AsyncIterator[asyncpg.Record]) -> QueryResult:
        collector = _Collector(self._limits)
        with _within_the_calendar():
            async for record in records:
                row, was_cut = cells.row(record)
                collector.cells_cut |= was_cut
                if not collector.take(row):
                    break
        return collector.result(cells.attributes)


@contextmanager
def _within_the_calendar() -> Generator[None]:
    """PostgreSQL's calendar goes from 4713 BC to 294276 and its day to 24:00; Python's, which asyncpg uses, do not."""
    try:
        yield
    except (ValueError, OverflowError) as problem:
        raise QueryError(
            "A date, time or interval lies beyond the years 1 to 9999, or beyond the 24 hours of a day.",
            "Cast such a column to text to see it, column::text, or filter it out.",
        ) from problem


class _Collector:
    """Takes rows until the caps are reached; the row or byte too many is what makes the answer truncated."""

    def __init__(self, limits: QueryLimits) -> None:
        self._limits = limits
        self._rows: list[tuple[JsonValue, ...]] = []
        self._bytes = 0
        self._stopped_by = ""
        self.cells_cut = False

    def take(self, row: tuple[JsonValue, ...]) -> bool:
        """Whether there is room for more."""
        if len(self._rows) == self._limits.max_rows:
            self._stopped_by = "rows"
            return False
        size = len(to_json(row)) + 1
        if self._rows and self._bytes + size > self._limits.max_bytes:
            self._stopped_by = "bytes"
            return False
        self._rows.append(row)
        self._bytes += size
        return True

    def result(self, attributes: Sequence[Attribute]) -> QueryResult:
        notices: list[str] = []
        if self._stopped_by == "rows":
            notices.append(
                f"Only the first {len(self._rows)} rows are shown. Aggregate, filter, or page with ORDER BY and "
                "LIMIT/OFFSET to see the rest."
            )
        elif self._stopped_by == "bytes":
            notices.append(
                f"Only the first {len(self._rows)} rows fit into {self._limits.max_bytes} bytes. Select fewer columns, "
                "aggregate, or page with ORDER BY and LIMIT/OFFSET."
            )
        if self.cells_cut:
            notices.append(
                "Long values were cut and end with an ellipsis. Select a part of them, for example left(column, 500)."
            )
        return QueryResult(
            columns=_unique_names([attribute.name for attribute in attributes]),
            rows=tuple(self._rows),
            truncated=bool(notices),
            notice=" ".join(notices),
        )


class _Cells:
    """How each column is read when at least one has a type without bounds: cut on the server, to a share of the cap."""

    def __init__(self, attributes: Sequence[Attribute], max_bytes: int) -> None:
        self.attributes = attributes
        unbounded = sum(not _is_bounded(attribute) for attribute in attributes)
        # Half of the cap, because JSON escapes make some texts longer; four bytes a character never happen in bulk.
        share = max(64, max_bytes // 2 // unbounded)
        self._characters = [_VECTOR_CHARACTERS if _is_vector(attribute) else share for attribute in attributes]
        self.names = ", ".join(f"c{position}" for position in range(len(attributes)))
        self.projection = ", ".join(self._expression(position) for position in range(len(attributes)))

    def _expression(self, position: int) -> str:
        attribute = self.attributes[position]
        if _is_bounded(attribute):
            return f"c{position}"
        # to_json gives arrays, ranges and composites a form that is JSON already, whatever their element types are.
        text = f"c{position}::text" if _is_text(attribute) or _is_json(attribute) else f"to_json(c{position})::text"
        return f"left({text}, {self._characters[position] + 1})"

    def row(self, record: asyncpg.Record) -> tuple[tuple[JsonValue, ...], bool]:
        """The record's values, and whether one of them was cut."""
        values: list[JsonValue] = []
        was_cut = False
        for attribute, most, value in zip(self.attributes, self._characters, record.values(), strict=True):
            if value is None or _is_bounded(attribute):
                values.append(json_value(value))
            elif len(value) > most:
                values.append(value[:most] + "…")
                was_cut = True
            else:
                values.append(value if _is_text(attribute) else _parsed(value))
        return tuple(values), was_cut


def _parsed(text: str) -> JsonValue:
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:  # numbers beyond a double, or nested deeper than the parser goes: the text is still the answer
        return text


def _is_bounded(attribute: Attribute) -> bool:
    return attribute.type.kind == "scalar" and attribute.type.name in _BOUNDED_TYPES


def _is_text(attribute: Attribute) -> bool:
    return attribute.type.kind == "scalar" and attribute.type.name in _TEXT_TYPES


def _is_vector(attribute: Attribute) -> bool:
    return attribute.type.name in _VECTOR_TYPES


def _is_json(attribute: Attribute) -> bool:
    return attribute.type.kind == "scalar" and attribute.type.name in ("json", "jsonb")


def _unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Column names as PostgreSQL gives them, the second `sum` as `sum_2` and so on."""
    taken: set[str] = set()
    unique: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in taken or (number > 1 and candidate in names):
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate)
        unique.append(candidate)
    return tuple(unique)
