"""Keeps products' vectors fresh: embeds those that have none, or whose text has changed since."""

from __future__ import annotations

from collections.abc import Callable

from zava.data.embedding_store import EmbeddingStore
from zava.platform.embedders import Embedder

_BATCH = 100


class EmbeddingRefresh:
    def __init__(self, store: EmbeddingStore, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder

    async def run(self, on_progress: Callable[[int], object] = lambda _: None) -> int:
        """Embed batch by batch until nothing is stale; what a batch saved stays saved. Returns the number embedded."""
        embedded = 0
        while products := await self._store.stale_products(self._embedder.model, _BATCH):
            vectors = await self._embedder.embed([product.text for product in products])
            await self._store.save(self._embedder.model, products, vectors)
            embedded += len(products)
            on_progress(len(products))
        return embedded
