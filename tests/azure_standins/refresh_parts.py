"""Refreshes of one database with Azure OpenAI's stand-in, as instances of the app run them; fixtures and look-ups."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.azure_standins.openai_service import DEPLOYMENT, OpenAIService, azure_embedders, running
from tests.conftest import Database
from zava.data.embedding_lease import EmbeddingLeases
from zava.data.embedding_models import EmbeddingModels
from zava.data.embedding_store import EmbeddingStore
from zava.data.pools import Pools
from zava.platform.embedders.choice import Embedders
from zava.services.embedding_refresh import EmbeddingRefresh, RefreshReport

OTHER = "text-embedding-3-large"


class Refreshes:
    """Runs refreshes of one database as instances of the app would, each with parts of its own."""

    def __init__(self, database: Database) -> None:
        self._settings = database.settings
        self._made: list[Embedders] = []
        self.pools = Pools(self._settings)

    def instance(self, lease_seconds: float = 150.0) -> EmbeddingRefresh:
        embedders = azure_embedders(self._settings)
        self._made.append(embedders)
        return EmbeddingRefresh(
            EmbeddingStore(self.pools),
            EmbeddingLeases(self.pools, lease_seconds),
            EmbeddingModels(self.pools),
            embedders,
        )

    async def close(self) -> None:
        for embedders in self._made:
            await embedders.close()
        await self.pools.close()

    async def run(self, model: str | None = DEPLOYMENT, seconds: float = 60) -> RefreshReport:
        return await self.instance().run(model=model, seconds=seconds)


@pytest.fixture
def openai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIService]:
    with running(tmp_path, monkeypatch, DEPLOYMENT, OTHER) as service:
        yield service


@pytest.fixture
async def refreshes(fresh_database: Database, openai: OpenAIService) -> AsyncIterator[Refreshes]:
    refreshes = Refreshes(fresh_database)
    yield refreshes
    await refreshes.close()


@pytest.fixture
async def sql(fresh_database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await fresh_database.superuser()
    yield connection
    await connection.close()


async def count_products(sql: asyncpg.Connection) -> int:
    return await sql.fetchval("SELECT count(*) FROM retail.products") or 0


async def hashes(sql: asyncpg.Connection, model: str = DEPLOYMENT) -> dict[str, str]:
    rows = await sql.fetch(
        """SELECT p.sku, e.content_hash FROM retail.product_description_embeddings AS e
           JOIN retail.products AS p USING (product_id) WHERE e.embedding_model = $1""",
        model,
    )
    return {row[0]: row[1] for row in rows}


async def add_product(sql: asyncpg.Connection, sku: str, name: str, description: str) -> None:
    await sql.execute(
        """INSERT INTO retail.products (product_id, sku, product_name, category_id, type_id, cost, base_price,
                                        gross_margin_percent, product_description)
           SELECT gen_random_uuid(), $1, $2, category_id, type_id, 1, 2, 50, $3 FROM retail.product_types LIMIT 1""",
        sku,
        name,
        description,
    )
