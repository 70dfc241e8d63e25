"""Turns one batch of texts into vectors with as few requests as can be, and finds those that no request will take."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from zava.data.embedding_store import MOST_CHARACTERS, ProductText
from zava.platform.embedders.embedder import (
    Embedder,
    EmbedderUnavailableError,
    TextRefusedError,
    Vector,
    estimated_tokens,
)

REQUEST_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 60.0
_MOST_ATTEMPTS = 6
_REQUESTS_AT_A_TIME = 4
_HARMLESS = "hammer"


@dataclass(slots=True)
class Batch:
    """What became of a batch. `problem` is why some of it is missing from both lists; the rest is good."""

    embedded: list[tuple[ProductText, Vector]] = field(default_factory=list[tuple[ProductText, Vector]])
    refused: list[tuple[ProductText, str]] = field(default_factory=list[tuple[ProductText, str]])
    requests: int = 0
    tokens: int = 0
    problem: EmbedderUnavailableError | None = None


class BatchEmbedder:
    """Embeds batches of at most `products` texts, for one run.

    A batch is as many texts as a request takes, so that most batches are one request; long texts make several, of which
    a few run at a time. A request that is refused is halved until the texts to blame are alone. One that fails is
    repeated after the wait the service asks for, a few times; one that is throttled twice is halved as well, because
    more tokens than a minute's quota never pass at once.

    Args:
        before_request: keeps the run's lease; what it raises ends the batch.
        deadline: no wait goes beyond it (`time.monotonic`'s clock).
    """

    def __init__(self, embedder: Embedder, *, before_request: Callable[[], Awaitable[None]], deadline: float) -> None:
        self._embedder = embedder
        self._before_request = before_request
        self._deadline = deadline
        self._slots = asyncio.Semaphore(_REQUESTS_AT_A_TIME)
        self._most_texts = embedder.limits.texts
        self._took_some = False

    @property
    def products(self) -> int:
        return self._embedder.limits.texts

    async def embed(self, products: Sequence[ProductText]) -> Batch:
        """Raises what `before_request` raises, after every request under way has ended."""
        batch = Batch()
        worth_asking: list[ProductText] = []
        for product in products:
            if not product.text:
                batch.refused.append((product, "there is no text"))
            elif len(product.text) > MOST_CHARACTERS:
                batch.refused.append((product, f"the text is longer than {MOST_CHARACTERS} characters"))
            else:
                worth_asking.append(product)
        await self._all(batch, self._packed(worth_asking))
        return batch

    def _packed(self, products: Sequence[ProductText]) -> Iterator[list[ProductText]]:
        limits = self._embedder.limits
        pack: list[ProductText] = []
        tokens = 0
        for product in products:
            needed = estimated_tokens(product.text)
            if needed > limits.tokens_of_one:
                yield [product]  # perhaps too long: alone it costs one request to know, not a dozen
                continue
            if pack and (len(pack) == self._most_texts or tokens + needed > limits.tokens):
                yield pack
                pack, tokens = [], 0
            pack.append(product)
            tokens += needed
        if pack:
            yield pack

    async def _all(self, batch: Batch, packs: Iterator[list[ProductText]], attempts: int = 0) -> None:
        ends = await asyncio.gather(*(self._one(batch, pack, attempts) for pack in packs), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

    async def _one(self, batch: Batch, pack: list[ProductText], attempts: int) -> None:
        throttled = 0
        while batch.problem is None:
            try:
                async with self._slots:
                    await self._before_request()
                    batch.requests += 1
                    embedded = await self._embedder.embed([product.text for product in pack], timeout=REQUEST_SECONDS)
            except TextRefusedError as refusal:
                if not await self._takes_any(batch, refusal):
                    return
                if len(pack) > 1:
                    break
                batch.refused.append((pack[0], str(refusal)))
                return
            except EmbedderUnavailableError as problem:
                attempts += 1
                throttled += problem.throttled
                if not await self._waited(problem, attempts):
                    batch.problem = problem
                elif throttled > 1 and len(pack) > 1:
                    self._most_texts = (len(pack) + 1) // 2
                    break
            else:
                self._took_some = True
                batch.embedded += zip(pack, embedded.vectors, strict=True)
                batch.tokens += embedded.tokens
                return
        else:
            return
        half = (len(pack) + 1) // 2
        await self._all(batch, iter((pack[:half], pack[half:])), attempts)

    async def _waited(self, problem: EmbedderUnavailableError, attempts: int) -> bool:
        """Whether another attempt is worth its while; if so, the wait before it is over."""
        seconds = problem.retry_after
        if seconds is None:
            seconds = min(LONGEST_WAIT_SECONDS, 2.0**attempts) * random.uniform(0.5, 1)  # noqa: S311
        if attempts >= _MOST_ATTEMPTS or seconds > LONGEST_WAIT_SECONDS or time.monotonic() + seconds > self._deadline:
            return False
        await self._before_request()
        await asyncio.sleep(seconds)
        return True

    async def _takes_any(self, batch: Batch, refusal: TextRefusedError) -> bool:
        """Whether a text is to blame: a deployment that refuses all must not condemn the catalogue, text by text."""
        if not self._took_some:
            try:
                batch.requests += 1
                await self._embedder.embed([_HARMLESS], timeout=REQUEST_SECONDS)
            except TextRefusedError:
                batch.problem = EmbedderUnavailableError(f"every text is refused: {refusal}")
                return False
            except EmbedderUnavailableError as problem:
                batch.problem = problem
                return False
            self._took_some = True
        return True
