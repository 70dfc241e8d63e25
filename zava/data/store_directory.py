"""Which stores exist, with their names and regions: what turns a regional manager's claim into store ids.

Read by the app login from `guard.store_directory`, a copy of `retail.stores` without row security that a trigger keeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from zava.data.pools import CONNECTION_ERRORS, Pools
from zava.data.repeated_read import repeated_read
from zava.errors import DatabaseUnavailableError

_FRESH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Store:
    store_id: UUID
    name: str
    region: str


class StoreDirectory:
    """All stores, read again when the copy is older than a minute."""

    def __init__(self, pools: Pools, clock: Callable[[], float] = time.monotonic) -> None:
        self._pools = pools
        self._clock = clock
        self._stores: Mapping[UUID, Store] = {}
        self._read_at = float("-inf")

    async def stores(self) -> Mapping[UUID, Store]:
        """Every store by its id.

        Raises:
            DatabaseUnavailableError: the database cannot be reached and no copy is fresh.
        """
        if self._clock() - self._read_at >= _FRESH_SECONDS:
            try:
                rows = await repeated_read(self._read)
            except CONNECTION_ERRORS as problem:
                raise DatabaseUnavailableError("The stores cannot be read.") from problem
            self._stores = {row["store_id"]: Store(row["store_id"], row["store_name"], row["region"]) for row in rows}
            self._read_at = self._clock()
        return self._stores

    async def _read(self) -> list[asyncpg.Record]:
        async with self._pools.app.connection() as connection:
            return await connection.fetch("SELECT store_id, store_name, region FROM guard.store_directory")
