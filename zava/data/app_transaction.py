"""One transaction of the app login, for Zava's own reads and writes; no tenant row is ever seen in one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from zava.data.pools import Pools
from zava.errors import DatabaseUnavailableError, error_of_sqlstate


@asynccontextmanager
async def app_transaction(pools: Pools, *, statement_seconds: float = 60.0) -> AsyncGenerator[PoolConnectionProxy]:
    """Lend a connection inside a transaction that is committed when the block ends well.

    Raises:
        DatabaseUnavailableError: no connection, or it broke.
        DatabaseError: whatever else PostgreSQL said, by its SQLSTATE.
    """
    try:
        async with pools.app.connection() as connection, connection.transaction():
            if statement_seconds != 60.0:  # the login's own default
                await connection.fetchval(
                    "SELECT set_config('statement_timeout', $1, true)", f"{int(statement_seconds * 1000)}ms"
                )
            yield connection
    except asyncpg.PostgresError as problem:
        raise error_of_sqlstate(
            getattr(problem, "sqlstate", None) or "", getattr(problem, "message", None) or ""
        ) from problem
    except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as problem:
        raise DatabaseUnavailableError(
            "The connection to the database broke.", "Try the same call again in a few seconds."
        ) from problem
