"""A transaction that begins on a session as new, and whose end is not waited for when the server says nothing any more.

asyncpg's own rolls back for as long as that takes. A caller that is cancelled at its deadline would wait there for a
server that has vanished from the network, until the operating system gives up after a quarter of an hour.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from asyncpg.pool import PoolConnectionProxy

from zava.data.pools import CONNECTION_ERRORS

_ROLLBACK_SECONDS = 1.0


def as_new(mode: str) -> str:
    """A BEGIN in `mode`, in one message with the end of all that an earlier transaction left on the session.

    Nobody else ends it: settings, of which some would change answers or lift limits, cursors, which would hold another
    tenant's rows, locks, and channels listened to, which end with a COMMIT only.
    """
    return f"BEGIN; UNLISTEN *; COMMIT; BEGIN {mode}; RESET ALL; CLOSE ALL; SELECT pg_catalog.pg_advisory_unlock_all()"


@asynccontextmanager
async def transaction(connection: PoolConnectionProxy, begin: str = "BEGIN") -> AsyncGenerator[None]:
    """Commit when the block ends well, else roll back; the pool closes a connection that could not be rolled back."""
    await connection.execute(begin)
    try:
        yield
    except BaseException:
        with contextlib.suppress(*CONNECTION_ERRORS):  # what went wrong before says more
            async with asyncio.timeout(_ROLLBACK_SECONDS):
                await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")
