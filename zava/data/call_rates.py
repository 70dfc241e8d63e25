"""The rate limit that all workers share: one function call in PostgreSQL, which counts exactly under concurrency."""

from __future__ import annotations

import asyncio

from zava.data.pools import CONNECTION_ERRORS, Pools
from zava.errors import DatabaseUnavailableError

DEADLINE_SECONDS = 1.0
"""Everything together, the wait for a connection included: a limiter must not become what calls wait for."""


class SharedCallRates:
    """Implements `zava.services.rate_limit.SharedRates`."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools

    async def take(self, caller: str, seconds_per_call: float, burst: int) -> float:
        """Count one call: 0.0 when it may go on, else the seconds until one may, and then nothing was counted.

        Raises:
            DatabaseUnavailableError: no answer within a second.
        """
        try:
            async with asyncio.timeout(DEADLINE_SECONDS), self._pools.app.connection() as connection:
                return await connection.fetchval("SELECT zava.take_call($1, $2, $3)", caller, seconds_per_call, burst)
        except CONNECTION_ERRORS as problem:
            raise DatabaseUnavailableError("The shared rate limit cannot be reached.") from problem
