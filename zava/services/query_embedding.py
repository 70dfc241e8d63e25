"""The vector of what somebody searches for: from the cache, or from the embedder while that answers in time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from opentelemetry.trace import SpanKind

from zava.platform import telemetry
from zava.platform.bounded_cache import BoundedCache
from zava.platform.breaker import CircuitBreaker
from zava.platform.embedders.choice import Embedders
from zava.platform.embedders.embedder import EmbedderNotReadyError, EmbedderUnavailableError, Vector
from zava.platform.tracing import span

SECONDS = 3.0
"""Longest a search waits for a vector; then it goes on with words alone."""
_MOST_CACHED = 2_000  # 12 MB of vectors


@dataclass(frozen=True, slots=True)
class EmbeddingsState:
    """What is known without asking: the circuit, how long ago the embedder answered (None: not yet), the cache."""

    circuit: Literal["closed", "open", "half-open"]
    seconds_since_answer: float | None
    cached: int
    hits: int
    misses: int


class QueryEmbeddings:
    """Vectors of queries. The cache is every caller's: it holds what models say of texts, and no row of anybody."""

    def __init__(self, embedders: Embedders, seconds: float = SECONDS) -> None:
        self._embedders = embedders
        self._seconds = seconds
        self._cache: BoundedCache[tuple[str, str], Vector] = BoundedCache(_MOST_CACHED)
        self._breaker = CircuitBreaker("the embedder", EmbedderUnavailableError, says_nothing=(EmbedderNotReadyError,))
        self._answered_at: float | None = None

    @property
    def state(self) -> EmbeddingsState:
        since = None if self._answered_at is None else round(time.monotonic() - self._answered_at, 1)
        return EmbeddingsState(self._breaker.state, since, len(self._cache), self._cache.hits, self._cache.misses)

    async def vector(self, model: str, text: str, *, timeout: float) -> Vector:  # noqa: ASYNC109
        """The vector of `text` by `model`, within `timeout` seconds or the usual longest wait.

        Raises:
            EmbedderUnavailableError: no usable answer in time.
            TextRefusedError: the embedder does not take the text.
            CircuitOpenError: the embedder failed so often of late that it was not asked.
        """
        key = (model, text)
        if (cached := self._cache.get(key)) is not None:
            telemetry.count("cache_hit", cache="query_embedding")
            return cached
        telemetry.count("cache_miss", cache="query_embedding")
        embedder = self._embedders.of(model)
        seconds = max(0.05, min(self._seconds, timeout))
        with span(
            "embed_query", kind=SpanKind.CLIENT, gen_ai__operation__name="embeddings", gen_ai__request__model=model
        ):
            embedded = await self._breaker.call(lambda: embedder.embed([text], timeout=seconds))
        self._answered_at = time.monotonic()
        self._cache.put(key, embedded.vectors[0])
        return embedded.vectors[0]

    def knows_meaning(self, model: str) -> bool:
        return self._embedders.of(model).knows_meaning
