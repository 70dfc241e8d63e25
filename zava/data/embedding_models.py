"""The embedding models of the database: which one search uses, which ones have vectors, and the index over each.

The app login reads and switches the active model. Indexes belong to the owner's tables: an administrator makes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg

from zava.data.administration import AdministratorConnection
from zava.data.app_transaction import app_transaction
from zava.data.pools import Pools
from zava.data.repeated_read import repeated_read

_FRESH_SECONDS = 10.0
INDEX_FROM = 10_000
"""Vectors of one model from which on an index is worth its memory: below, an exact scan takes a few milliseconds."""

_LIST = """
SELECT m.embedding_model, m.vectors, m.embedding_model IS NOT DISTINCT FROM a.embedding_model AS active,
       EXISTS (SELECT FROM pg_index AS i WHERE i.indisvalid
               AND i.indexrelid = to_regclass('retail.' || retail.embedding_index_name(m.embedding_model))) AS indexed
FROM (SELECT embedding_model, count(*) AS vectors FROM retail.product_description_embeddings GROUP BY 1) AS m
LEFT JOIN zava.active_embedding_model AS a ON true
ORDER BY m.embedding_model
"""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model that has vectors."""

    model: str
    vectors: int
    active: bool
    indexed: bool

    @property
    def wants_index(self) -> bool:
        return self.vectors >= INDEX_FROM and not self.indexed


class EmbeddingModels:
    """Every method raises the errors that `app_transaction` lists."""

    def __init__(self, pools: Pools, clock: Callable[[], float] = time.monotonic) -> None:
        self._pools = pools
        self._clock = clock
        self._active: str | None = None
        self._read_at = float("-inf")

    async def active(self) -> str | None:
        """The model that search uses, at most ten seconds old; None before the first refresh."""
        if self._active is None or self._clock() - self._read_at >= _FRESH_SECONDS:
            self._active = await repeated_read(self._read_active)
            self._read_at = self._clock()
        return self._active

    async def _read_active(self) -> str | None:
        async with app_transaction(self._pools) as connection:
            return await connection.fetchval("SELECT embedding_model FROM zava.active_embedding_model")

    async def activate(self, model: str) -> None:
        """Let search use `model` from now on, in other instances within ten seconds."""
        async with app_transaction(self._pools) as connection:
            await connection.execute(
                """INSERT INTO zava.active_embedding_model AS a (embedding_model) VALUES ($1)
                   ON CONFLICT (only_row) DO UPDATE SET embedding_model = excluded.embedding_model, active_since = now()
                   WHERE a.embedding_model <> excluded.embedding_model""",
                model,
            )
        self._active, self._read_at = model, self._clock()

    async def stored(self) -> list[StoredModel]:
        async with app_transaction(self._pools) as connection:
            return [StoredModel(*row) for row in await connection.fetch(_LIST)]


async def build_index(administrator: AdministratorConnection, model: str) -> None:
    """Make the HNSW index over one model's vectors, while search goes on; a minute for 100 000 vectors, give or take.

    Half precision: half the memory, and no worse a choice of neighbours; search measures those again in full precision
    (`make bench ONLY=search` compares the kinds of index).
    """
    connection = await administrator.open()
    try:
        await connection.execute("SET ROLE zava_owner")
        await connection.execute("SET statement_timeout = 0")
        await connection.execute("SET maintenance_work_mem = '512MB'")
        name = await _index_name(connection, model)
        literal = str(await connection.fetchval("SELECT quote_literal($1)", model))
        await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS retail.{name}")  # of an attempt that was cut off
        await connection.execute(
            f"CREATE INDEX CONCURRENTLY {name} ON retail.product_description_embeddings"
            f" USING hnsw ((description_embedding::halfvec(1536)) halfvec_cosine_ops) WHERE embedding_model = {literal}"
        )
    finally:
        await connection.close()


async def remove_model(administrator: AdministratorConnection, model: str) -> int:
    """Delete the vectors of a model that is not active, and its index. Returns how many there were.

    Raises:
        ValueError: search uses this model.
    """
    connection = await administrator.open()
    try:
        await connection.execute("SET ROLE zava_owner")
        await connection.execute("SET statement_timeout = 0")
        async with connection.transaction():
            active = await connection.fetchval("SELECT embedding_model FROM zava.active_embedding_model FOR UPDATE")
            if active == model:
                raise ValueError(f"search uses {model}")
            await connection.execute(f"DROP INDEX IF EXISTS retail.{await _index_name(connection, model)}")
            await connection.execute("DELETE FROM zava.refused_text WHERE embedding_model = $1", model)
            deleted = await connection.execute(
                "DELETE FROM retail.product_description_embeddings WHERE embedding_model = $1", model
            )
        return int(deleted.removeprefix("DELETE "))
    finally:
        await connection.close()


async def _index_name(connection: asyncpg.Connection, model: str) -> str:
    return str(await connection.fetchval("SELECT retail.embedding_index_name($1)", model))
