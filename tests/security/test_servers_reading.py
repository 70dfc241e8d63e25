"""What the policy reads in a query is what PostgreSQL itself reads: the tree it stores for a view of the same text.

A name that the policy takes for another thing than the server does (a CTE for a table, a column for a call) would be a
hole that no list closes. The view is made by the tests' superuser and rolled back.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from tests.conftest import Database
from tests.security.sql_table import ACCEPTED, REFUSED, SqlCase
from zava.data.sql_policy import SqlAnalysis, analyse

_CALL = re.compile(r"\{FUNCEXPR :funcid (\d+) .*?:funcformat ([0-3]) ")
_AS_WRITTEN = {"0", "3"}  # a call and EXTRACT's kind of syntax; 1 and 2 are casts, which the policy knows as types
_AGGREGATE = re.compile(r":(?:aggfnoid|winfnoid) (\d+)")
_OPERATOR = re.compile(r":opno (\d+)")
_RELATION = re.compile(r":relid (\d+)")

# Comparisons that are not written as operators: JOIN ... USING, CASE x WHEN, BETWEEN, rows.
_UNWRITTEN_OPERATORS = {"=", "<", ">", "<=", ">="}
# By id, the functions that one side alone names: casts written as calls, and aggregates that are syntax.
_NAMED_BY_ONE = {
    "function_style_casts": {"int4", "text"},
    "sql_json_aggregates": {"json_arrayagg", "json_objectagg", "json_object_agg", "jsonb_agg_strict"},
    "sql_json_array_query": {"json_agg_strict"},
}


@dataclass(frozen=True, slots=True)
class Reading:
    relations: frozenset[str]
    functions: frozenset[str]
    operators: frozenset[str]


class Server:
    """Reads queries as PostgreSQL does."""

    def __init__(self, superuser: asyncpg.Connection, names: dict[str, dict[int, str]]) -> None:
        self._superuser = superuser
        self._names = names

    @classmethod
    async def of(cls, superuser: asyncpg.Connection) -> Server:
        await superuser.execute("SET search_path = pg_catalog, retail, public")
        queries = {
            "relations": "SELECT oid, relnamespace::regnamespace || '.' || relname FROM pg_class",
            "functions": "SELECT oid, proname::text FROM pg_proc",
            "operators": "SELECT oid, oprname::text FROM pg_operator",
        }
        names = {kind: {row[0]: row[1] for row in await superuser.fetch(sql)} for kind, sql in queries.items()}
        return cls(superuser, names)

    async def reading(self, sql: str) -> Reading | None:
        """None when there can be no view of it."""
        transaction = self._superuser.transaction()
        await transaction.start()
        try:
            columns = (await self._superuser.prepare(sql)).get_attributes()
            names = ", ".join(f"c{position}" for position in range(len(columns)))
            # fetch() and not execute(): it takes one statement only.
            await self._superuser.fetch(f"CREATE VIEW public.reading({names}) AS {sql}")
            tree = await self._superuser.fetchval(
                "SELECT ev_action::text FROM pg_rewrite WHERE ev_class = 'public.reading'::regclass"
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            return None  # the latter two: types that have no Python form, as anyarray
        finally:
            await transaction.rollback()
        assert isinstance(tree, str)
        written = [number for number, form in _CALL.findall(tree) if form in _AS_WRITTEN]
        return Reading(
            self._named("relations", _RELATION.findall(tree)),
            self._named("functions", written + _AGGREGATE.findall(tree)),
            self._named("operators", _OPERATOR.findall(tree)),
        )

    def _named(self, kind: str, numbers: list[str]) -> frozenset[str]:
        # Number 0: none, as a subquery in FROM is no relation.
        return frozenset(self._names[kind][int(number)] for number in numbers if int(number))


@pytest.fixture
async def server(database: Database) -> AsyncIterator[Server]:
    superuser = await database.superuser()
    yield await Server.of(superuser)
    await superuser.close()


def _differences(case: SqlCase, analysis: SqlAnalysis, read: Reading) -> frozenset[str]:
    functions = (read.functions ^ set(analysis.functions)) - _NAMED_BY_ONE.get(case.id, set())
    operators = (read.operators ^ set(analysis.operators)) - _UNWRITTEN_OPERATORS
    return (read.relations ^ set(analysis.relations)) | functions | operators


async def test_the_server_reads_the_same_in_every_accepted_query(server: Server) -> None:
    found: dict[str, object] = {}
    for case in ACCEPTED:
        analysis = analyse(case.sql)
        read = await server.reading(analysis.statement)
        if read is None or _differences(case, analysis, read):
            found[case.id] = read and _differences(case, analysis, read)
    assert found == {}


async def test_nothing_in_a_refused_query_is_taken_for_what_it_is_not_to_the_server(server: Server) -> None:
    """What the policy had found allowed before it refused is a part of what the server finds."""
    views = 0
    found: dict[str, object] = {}
    for case in REFUSED:
        try:
            case.sql.encode()
        except UnicodeEncodeError:
            continue
        analysis = analyse(case.sql)
        read = await server.reading(analysis.statement or case.sql)
        if read is None:
            continue
        views += 1
        misread = (set(analysis.relations) - read.relations) | (set(analysis.functions) - read.functions)
        if misread:
            found[case.id] = misread
    assert found == {}
    assert views > 200


async def test_the_servers_reading_sees_through_names(server: Server) -> None:
    shadowed = """
        SELECT * FROM pg_catalog.pg_class, (WITH pg_class AS (SELECT 1) SELECT * FROM pg_class) AS q
        WHERE U&"p\\0067_sleep"(0) IS NULL OR relname OPERATOR(pg_catalog.~~*) 'x'
    """
    # One column name comes twice in it, which the view's own list of names allows.
    assert await server.reading(shadowed) == Reading(
        frozenset({"pg_catalog.pg_class"}), frozenset({"pg_sleep"}), frozenset({"~~*"})
    )
