"""What a session could keep of the tenant before, or show of the tenant beside: each check lists what it finds."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time

from tests.security.canaries import TENANT_TABLES
from tests.security.planted import SEATTLE_SCOPE, Planted
from tests.security.ways import LIMITS, AllWalls, Unwrapped
from zava.data.query_runner import QueryRunner
from zava.data.tenant_context import TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.errors import IsolationError
from zava.local.stores import STORES

_SESSIONS = 4  # as many as the pooler of these tests has
BELLEVUE_SCOPE = TenantScope(frozenset({STORES[1].store_id}), "be" * 32)
CONTEXT = re.compile(r"\|\d{10}\|[0-9a-f]{64}\|")

_KEPT = """
SELECT statement FROM pg_prepared_statements WHERE statement NOT LIKE '%pg_prepared_statements%'
UNION ALL SELECT statement FROM pg_cursors WHERE statement NOT LIKE '%pg_cursors%'
UNION ALL SELECT locktype FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'
UNION ALL SELECT setting FROM current_setting('zava.tenant_context', true) AS setting WHERE setting <> ''
"""
_SPY = "SELECT pid, query, state, application_name FROM pg_stat_activity WHERE pid <> pg_backend_pid()"


async def kept_by_sessions(parts: Planted) -> list[str]:
    """What sessions have left of a tenant's calls for whoever gets them next, and rows they show without a context.

    Many calls at once and then several sessions at once, so that a pooler mixes them.
    """
    asked = ("SELECT email FROM customers", "SELECT count(*) FROM orders", "SELECT nope", "SELECT 1 / 0")
    await asyncio.gather(*(AllWalls(parts.transactions, BELLEVUE_SCOPE).run(sql) for sql in asked * 8))
    found: list[str] = []
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(_SESSIONS):
            connection = await stack.enter_async_context(parts.pools.reader.connection())
            await stack.enter_async_context(connection.transaction())
            found += [str(row["statement"]) for row in await connection.fetch(_KEPT)]
            for table in TENANT_TABLES:
                if await connection.fetchval(f"SELECT EXISTS (SELECT FROM retail.{table})"):
                    found.append(f"rows of {table} without a context")
    return found


async def contexts_seen_by_others(parts: Planted, transactions: TenantTransactions) -> list[str]:
    """Contexts in what a session of the same login sees of another one, at every step of a tenant's transaction."""
    seen: list[str] = []
    async with transactions.open(BELLEVUE_SCOPE, timeout_seconds=5, deadline=time.monotonic() + 20) as connection:
        for statement in ("", "SELECT email FROM retail.customers", "SELECT $1::text"):
            if statement:
                await connection.fetch(statement, *["x"] * statement.count("$1"))
            spied = await Unwrapped(parts.transactions, SEATTLE_SCOPE).run(_SPY)
            seen += [str(row) for row in spied.rows]
    assert any("zava.tenant_context" in text for text in seen), "the spy must see the other session"
    return [text for text in seen if CONTEXT.search(text)]


async def answers_without_confirmation(transactions: TenantTransactions) -> list[str]:
    """Answers that come although the database did not confirm the scope."""
    try:
        result = await QueryRunner(transactions, LIMITS).run(
            "SELECT count(*) FROM orders", SEATTLE_SCOPE, deadline=time.monotonic() + 20
        )
    except IsolationError:
        return []
    return [str(result.rows)]
