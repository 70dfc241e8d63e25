"""One transaction of the app login, for Zava's own reads and writes; no tenant row is ever seen in one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from asyncpg.pool import PoolConnectionProxy

from zava.data.database_errors import translated
from zava.data.pools import Pools
from zava.data.transaction import transaction


@asynccontextmanager
async def app_transaction(
    pools: Pools, *, statement_seconds: float | None = None
) -> AsyncGenerator[PoolConnectionProxy]:
    """Lend a connection inside a transaction that is committed when the block ends well.

    `statement_seconds` bounds each statement in place of the login's own limit.

    Raises:
        QueryTimeoutError: a statement ran into its limit.
        DatabaseUnavailableError: no connection, or it broke.
        DatabaseError: whatever else PostgreSQL said, by its SQLSTATE.
    """
    with translated(statement_seconds):
        async with pools.app.connection() as connection, transaction(connection):
            if statement_seconds is not None:
                await connection.fetchval(
                    "SELECT set_config('statement_timeout', $1, true)", f"{int(statement_seconds * 1000)}ms"
                )
            yield connection
