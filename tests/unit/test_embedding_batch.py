"""How a batch of texts becomes requests: packing, refusals, waits, and what is given up."""

from __future__ import annotations

import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from zava.data.embedding_lease import LeaseLostError
from zava.data.embedding_store import MOST_CHARACTERS, ProductText
from zava.platform.embedders.embedder import (
    Embedded,
    EmbedderUnavailableError,
    RequestLimits,
    TextRefusedError,
    estimated_tokens,
)
from zava.services.embedding_batch import Batch, BatchEmbedder

THROTTLED = EmbedderUnavailableError("too many", retry_after=0.0, throttled=True)
AWAY = EmbedderUnavailableError("away", retry_after=0.0)


@dataclass
class Scripted:
    """An embedder that fails as `script` says, request by request, and refuses texts with a bad word."""

    limits: RequestLimits = field(default_factory=lambda: RequestLimits(texts=100, tokens=1_000, tokens_of_one=200))
    script: deque[Exception | None] = field(default_factory=deque[Exception | None])
    refuses: Callable[[str], bool] = lambda text: "bad" in text
    model: str = "scripted"
    knows_meaning: bool = True
    requests: list[list[str]] = field(default_factory=list[list[str]])

    async def embed(self, texts: Sequence[str], *, timeout: float) -> Embedded:
        self.requests.append(list(texts))
        fault = self.script.popleft() if self.script else None
        if fault is not None:
            raise fault
        if any(self.refuses(text) for text in texts):
            raise TextRefusedError("not this one")
        return Embedded([array("f", [float(len(text))]) for text in texts], tokens=10 * len(texts))


async def nothing() -> None: ...


def products(*texts: str) -> list[ProductText]:
    return [ProductText(UUID(int=number), text, "hash") for number, text in enumerate(texts)]


async def embed(embedder: Scripted, *texts: str, seconds: float = 60) -> Batch:
    batches = BatchEmbedder(embedder, before_request=nothing, deadline=time.monotonic() + seconds)
    return await batches.embed(products(*texts))


def texts_of(batch: Batch) -> set[str]:
    return {product.text for product, _ in batch.embedded}


async def test_a_batch_within_the_limits_is_one_request() -> None:
    embedder = Scripted()
    batch = await embed(embedder, *(f"product {number}" for number in range(100)))
    assert (len(embedder.requests), batch.requests, len(batch.embedded), batch.tokens) == (1, 1, 100, 1_000)
    assert all(vector == array("f", [float(len(product.text))]) for product, vector in batch.embedded)


async def test_requests_are_as_few_as_the_tokens_allow() -> None:
    embedder = Scripted()
    texts = ["x" * 299] * 95  # 100 tokens each, so ten a request
    batch = await embed(embedder, *texts)
    assert sorted(len(request) for request in embedder.requests) == [5, *[10] * 9]
    assert len(batch.embedded) == 95


async def test_a_text_that_may_be_too_long_goes_alone_so_that_its_refusal_costs_one_request() -> None:
    embedder = Scripted(refuses=lambda text: len(text) > 1_000)
    batch = await embed(embedder, "good", "y" * 1_500, "fine", "x" * 700)
    assert sorted(map(len, embedder.requests)) == [1, 1, 1, 2]  # one of them to see that others are taken
    assert [(product.text[:1], reason) for product, reason in batch.refused] == [("y", "not this one")]
    assert len(batch.embedded) == 3


async def test_what_no_model_takes_is_refused_without_a_request() -> None:
    embedder = Scripted()
    batch = await embed(embedder, "", "x" * (MOST_CHARACTERS + 1))
    assert embedder.requests == []
    assert [reason for _, reason in batch.refused] == ["there is no text", "the text is longer than 40000 characters"]


@pytest.mark.parametrize("place", [0, 1, 49, 99])
async def test_one_bad_text_loses_one_row_and_not_the_batch(place: int) -> None:
    embedder = Scripted()
    texts = [f"text {number}" for number in range(100)]
    texts[place] = "a bad one"
    batch = await embed(embedder, *texts)
    assert [(product.text, reason) for product, reason in batch.refused] == [("a bad one", "not this one")]
    assert texts_of(batch) == set(texts) - {"a bad one"}
    assert (
        batch.requests == len(embedder.requests) <= 2 * 7 + 2
    )  # halved seven times, and one to see that it is not all


async def test_when_every_text_is_refused_none_is_blamed() -> None:
    embedder = Scripted(refuses=lambda _: True)
    batch = await embed(embedder, "hose", "hammer", "saw")
    assert (batch.embedded, batch.refused) == ([], [])
    assert str(batch.problem) == "every text is refused: not this one"
    assert embedder.requests == [["hose", "hammer", "saw"], ["hammer"]]


async def test_a_bad_text_alone_is_blamed_after_a_harmless_one_was_taken() -> None:
    embedder = Scripted()
    batch = await embed(embedder, "bad")
    assert embedder.requests == [["bad"], ["hammer"]]
    assert ([reason for _, reason in batch.refused], batch.problem) == (["not this one"], None)


async def test_a_failure_that_passes_costs_another_attempt() -> None:
    embedder = Scripted(script=deque([AWAY, THROTTLED, AWAY]))
    batch = await embed(embedder, "a", "b")
    assert (len(embedder.requests), texts_of(batch), batch.problem) == (4, {"a", "b"}, None)


async def test_a_request_that_is_throttled_twice_is_halved_and_so_are_those_after_it() -> None:
    embedder = Scripted(script=deque([THROTTLED, THROTTLED]))
    batches = BatchEmbedder(embedder, before_request=nothing, deadline=time.monotonic() + 60)
    texts = [f"t{number}" for number in range(100)]
    first = await batches.embed(products(*texts))
    second = await batches.embed(products(*texts))
    assert [len(request) for request in embedder.requests] == [100, 100, 50, 50, 50, 50]
    assert (texts_of(first), texts_of(second)) == (set(texts), set(texts))


async def test_a_failure_that_stays_is_given_up_after_six_attempts_and_what_was_embedded_is_kept() -> None:
    embedder = Scripted(limits=RequestLimits(texts=2, tokens=1_000, tokens_of_one=200))
    embedder.script.extend([None, *[AWAY] * 20])
    batch = await embed(embedder, "a", "b", "c", "d")
    assert (texts_of(batch), batch.problem) == ({"a", "b"}, AWAY)
    assert batch.requests == 7


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [pytest.param(61, 1_000, id="longer than a minute"), pytest.param(30, 5, id="beyond the run's end")],
)
async def test_a_wait_that_is_too_long_ends_the_batch_at_once(wait: float, seconds: float) -> None:
    problem = EmbedderUnavailableError("quota", retry_after=wait, throttled=True)
    embedder = Scripted(script=deque([problem]))
    batch = await embed(embedder, "a", seconds=seconds)
    assert (len(embedder.requests), batch.problem, batch.embedded) == (1, problem, [])


async def test_a_lost_lease_ends_the_batch_before_the_next_request() -> None:
    embedder = Scripted()

    async def lost() -> None:
        raise LeaseLostError

    batches = BatchEmbedder(embedder, before_request=lost, deadline=time.monotonic() + 60)
    with pytest.raises(LeaseLostError):
        await batches.embed(products("a"))
    assert embedder.requests == []


@pytest.mark.parametrize(("text", "least"), [("word " * 100, 125), ("漢字" * 50, 100), ("", 1)])
def test_tokens_are_estimated_rather_too_many(text: str, least: int) -> None:
    assert estimated_tokens(text) >= least
