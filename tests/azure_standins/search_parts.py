"""Search over a test's own database with Azure OpenAI's stand-in as the embedder, wired as the app wires it."""

from __future__ import annotations

from typing import Self

from tests.azure_standins.openai_service import DEPLOYMENT, azure_embedders
from tests.conftest import Database
from zava.data.embedding_lease import EmbeddingLeases
from zava.data.embedding_models import EmbeddingModels
from zava.data.embedding_store import EmbeddingStore
from zava.data.pools import Pools
from zava.data.product_search import ProductSearch
from zava.data.product_words import read_product_words
from zava.platform.query_monitor import QueryMonitor
from zava.services.calls_in_flight import CallsInFlight
from zava.services.embedding_refresh import EmbeddingRefresh
from zava.services.product_search import ProductSearches
from zava.services.query_embedding import QueryEmbeddings
from zava.services.spelling import ProductVocabulary


class SearchParts:
    """`searches` is what a tool calls; to be closed by `async with`.

    Args:
        calls_in_flight: of one caller.
        seconds: how long a search waits for a vector.
    """

    def __init__(self, database: Database, *, calls_in_flight: int = 3, seconds: float = 3.0) -> None:
        self._pools = Pools(database.settings)
        self._embedders = azure_embedders(database.settings)
        self._models = EmbeddingModels(self._pools)
        self.searches = ProductSearches(
            ProductSearch(database.transactions(self._pools)),
            self._models,
            QueryEmbeddings(self._embedders, seconds),
            ProductVocabulary(lambda: read_product_words(self._pools)),
            CallsInFlight(calls_in_flight),
            QueryMonitor(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *arguments: object) -> None:
        await self._embedders.close()
        await self._pools.close()

    async def embed_catalogue(self) -> None:
        """With the stand-in's model, which search then uses."""
        refresh = EmbeddingRefresh(
            EmbeddingStore(self._pools), EmbeddingLeases(self._pools), self._models, self._embedders
        )
        assert (await refresh.run(model=DEPLOYMENT)).outcome == "completed"
        await self._models.activate(DEPLOYMENT)
