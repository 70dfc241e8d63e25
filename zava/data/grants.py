"""What was granted to a subject beside its token, from `zava.grants`, by the app login."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from zava.data.pools import CONNECTION_ERRORS, Pools
from zava.data.repeated_read import repeated_read
from zava.errors import DatabaseUnavailableError
from zava.platform.bounded_cache import BoundedCache

FRESH_SECONDS = 30.0
"""After this long a change by `python -m zava.data.grant` is seen by every worker."""
MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Grant:
    stores: frozenset[UUID]
    regions: frozenset[str]


_NOTHING = Grant(frozenset(), frozenset())


class StoredGrants:
    """Implements `zava.services.access.Grants`; remembers an answer, also "nothing", for half a minute."""

    def __init__(self, pools: Pools, clock: Callable[[], float] = time.monotonic) -> None:
        self._pools = pools
        self._clock = clock
        self._remembered: BoundedCache[tuple[str, str], tuple[Grant, float]] = BoundedCache(MOST_REMEMBERED)

    async def stores_of(self, issuer: str, subject: str) -> frozenset[UUID]:
        """Raises DatabaseUnavailableError."""
        return (await self._grant_of(issuer, subject)).stores

    async def regions_of(self, issuer: str, subject: str) -> frozenset[str]:
        """Raises DatabaseUnavailableError."""
        return (await self._grant_of(issuer, subject)).regions

    async def _grant_of(self, issuer: str, subject: str) -> Grant:
        key = (issuer, subject)
        known = self._remembered.get(key)
        if known is not None and self._clock() - known[1] < FRESH_SECONDS:
            return known[0]
        asked_at = self._clock()
        try:
            row = await repeated_read(lambda: self._read(issuer, subject))
        except CONNECTION_ERRORS as problem:
            raise DatabaseUnavailableError("What is granted to you cannot be read.") from problem
        grant = Grant(frozenset(row["stores"]), frozenset(row["regions"])) if row else _NOTHING
        self._remembered.put(key, (grant, asked_at))
        return grant

    async def _read(self, issuer: str, subject: str) -> asyncpg.Record | None:
        async with self._pools.app.connection() as connection:
            return await connection.fetchrow(
                "SELECT stores, regions FROM zava.grants WHERE issuer = $1 AND subject = $2", issuer, subject
            )
