"""Random SQL: honest queries have the answer a hand-written filter gives, mangled attacks have nothing of others."""

from __future__ import annotations

import re
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
from tests.security.ways import NO_CACHE, AllWalls
from zava.data.query_runner import QueryLimits, QueryResult, QueryRunner
from zava.data.sql_policy import analyse, decide
from zava.data.tenant_context import TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.local.stores import STORES, SampleStore
from zava.platform.query_monitor import QueryMonitor
from zava.services.calls_in_flight import CallsInFlight
from zava.services.sales_query import SalesQueries

_SQL = [case.sql for case in (*REFUSED, *SESSION_ATTACKS, *ACCEPTED)]
_QUERIES = [sql.rstrip("; ") for sql in _SQL if sql.startswith(("SELECT", "WITH", "VALUES"))]
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\w+|\s+|.", re.DOTALL)
# In the tables, names are in lower case and keywords are not.
_NAMES = sorted({token for sql in _SQL for token in _TOKEN.findall(sql) if token.isidentifier() and token.islower()})
_LIMITS = QueryLimits(max_rows=50_000, max_bytes=50_000_000, timeout_seconds=20)


class _OracleTransactions(TenantTransactions):
    """A superuser's transaction where a tenant's is expected: row security does not bind it."""

    def __init__(self, planted: Planted) -> None:
        super().__init__(planted.pools, planted.transactions._signers, planted.proof)
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
    tenants = SalesQueries(QueryRunner(planted.transactions, _LIMITS), CallsInFlight(3), QueryMonitor(), NO_CACHE)
    oracle = QueryRunner(_OracleTransactions(planted), _LIMITS)
    seen = await tenants.run(as_tenant(statement), scope, deadline=deadline)
    assert _rows(seen) == _rows(await oracle.run(by_hand(statement, store.store_id), scope, deadline=deadline))


@st.composite
def _mangled(draw: st.DrawFn) -> str:
    """A statement in which names are exchanged for those of others, parts are cut, or others are put around it."""
    sql, other = draw(st.sampled_from(_QUERIES)), draw(st.sampled_from(_QUERIES))
    tokens = _TOKEN.findall(sql)
    names = [position for position, token in enumerate(tokens) if token in _NAMES]
    for position in draw(st.lists(st.sampled_from(names), max_size=2)) if names else ():
        tokens[position] = draw(st.sampled_from(_NAMES))
    if draw(st.integers(0, 9)) == 0:
        start = draw(st.integers(0, len(tokens)))
        del tokens[start : start + draw(st.integers(1, 6))]
    sql = "".join(tokens)
    return draw(
        st.sampled_from(
            (
                sql,
                f"SELECT * FROM ({sql}) AS q",
                f"WITH orders AS ({sql}) SELECT * FROM orders",
                f"SELECT q.*, r.* FROM stores AS s, LATERAL ({sql}) AS q LEFT JOIN ({other}) AS r ON true",
                f"({sql}) UNION ALL ({other})",
                f"SELECT EXISTS ({sql}), email FROM customers",
                f"{sql[: len(sql) // 2]}{other[len(other) // 2 :]}",
                f"{sql};{draw(st.sampled_from(_SQL))}",
                sql.swapcase(),
            )
        )
    )


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
