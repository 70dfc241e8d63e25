"""Random SQL: honest queries have the answer a hand-written filter gives, mangled attacks have nothing of others."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.security.attempts import Attempts
from tests.security.database_state import DatabaseState
from tests.security.honest_grammar import HONEST_QUERIES, as_tenant, by_hand
from tests.security.planted import SEATTLE_SCOPE, Planted
from tests.security.session_attacks import SESSION_ATTACKS
from tests.security.sql_table import ACCEPTED, REFUSED
from tests.security.ways import AllWalls
from zava.data.query_runner import QueryLimits, QueryResult, QueryRunner
from zava.data.sql_policy import analyse, decide
from zava.data.tenant_context import TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.local.stores import STORES, SampleStore
from zava.services.calls_in_flight import CallsInFlight
from zava.services.sales_query import SalesQueries

# Replaced in a statement, by turns: what tells a tenant's row from another's, what hides a word, what opens a new one.
_WORDS = (
    *("retail.customers", "orders", "guard.context_key", "pg_class", "pg_stat_activity", "store_id", "ctid"),
    *("set_config", "query_to_xml", "pg_sleep(1)", "email", "COMMIT;", ";", "--", "/*", "*/", "'", '"', "$$", "(", ")"),
    *(
        "UNION ALL",
        "SELECT",
        "FROM",
        "WHERE true OR",
        "LATERAL",
        "AS MATERIALIZED",
        "::text",
        "[1]",
        ".*",
        "\\",
        "\u00e9",
    ),
    *("U&'\\0041'", "E'\\x41'", "1e400", "NULL", "ROW(1)", "FOR UPDATE", "INTO x", "$1", "\x00", "\ud800", " \n "),
)
_SQL = [case.sql for case in (*REFUSED, *SESSION_ATTACKS, *ACCEPTED)]
_LIMITS = QueryLimits(max_rows=50_000, max_bytes=50_000_000, timeout_seconds=20)


class _OracleTransactions(TenantTransactions):
    """A superuser's transaction where a tenant's is expected: row security does not bind it."""

    def __init__(self, planted: Planted) -> None:
        super().__init__(planted.pools, planted.transactions._signer, planted.proof)
        self._superuser = planted.superuser

    @asynccontextmanager
    async def open(
        self, scope: TenantScope, *, timeout_seconds: float, deadline: float
    ) -> AsyncGenerator[PoolConnectionProxy]:
        connection: asyncpg.Connection = self._superuser
        async with connection.transaction(readonly=True):
            await connection.execute("SET LOCAL TimeZone = 'UTC'")
            yield connection  # type: ignore[misc]


def _rows(result: QueryResult) -> tuple[tuple[str, ...], list[str]]:
    assert not result.truncated
    return result.columns, sorted(map(repr, result.rows))


@given(HONEST_QUERIES, st.sampled_from(STORES))
@settings(max_examples=150, deadline=None, database=None)
async def test_a_tenant_gets_exactly_what_a_filter_written_by_hand_gives(
    planted: Planted, statement: str, store: SampleStore
) -> None:
    scope = TenantScope(frozenset({store.store_id}), "cd" * 32)
    deadline = time.monotonic() + 60
    tenants = SalesQueries(QueryRunner(planted.transactions, _LIMITS), CallsInFlight(3))
    oracle = QueryRunner(_OracleTransactions(planted), _LIMITS)
    seen = await tenants.run(as_tenant(statement), scope, deadline=deadline)
    assert _rows(seen) == _rows(await oracle.run(by_hand(statement, store.store_id), scope, deadline=deadline))


@st.composite
def _mangled(draw: st.DrawFn) -> str:
    """An attack in which some parts are cut, doubled, exchanged, or taken from other statements."""
    sql = draw(st.sampled_from(_SQL))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(sql)))
        end = draw(st.integers(start, min(len(sql), start + 25)))
        other = draw(st.sampled_from(_SQL))
        cut = draw(st.integers(0, len(other)))
        sql = draw(
            st.sampled_from(
                (
                    sql[:start] + sql[end:],
                    sql[:end] + sql[start:],
                    sql[:start] + sql[start:end].swapcase() + sql[end:],
                    f"{sql[:start]} {draw(st.sampled_from(_WORDS))} {sql[end:]}",
                    sql[:start] + other[cut:],
                    f"SELECT * FROM ({sql}) AS q",
                    f"WITH q AS ({sql}) SELECT * FROM q, LATERAL ({other}) AS r",
                    f"({sql}) UNION ALL ({other})",
                    f"SELECT ({sql}), EXISTS ({other})",
                )
            )
        )
    return sql


@given(_mangled())
@settings(max_examples=400, deadline=None, database=None)
async def test_a_mangled_attack_crashes_nothing_and_brings_back_nothing_of_others(
    planted: Planted, twin: Planted, state: DatabaseState, sql: str
) -> None:
    analysis = analyse(sql)
    decision = decide(analysis)
    attempts = Attempts(
        "all walls", planted, twin, lambda parts: AllWalls(parts.transactions, SEATTLE_SCOPE), strict=True
    )
    assert await attempts.violations(sql, state, compared=not analysis.volatile) == [], decision
