"""Search while its embedder answers, fails, hangs, or was never asked: an answer, in time, and what it is worth."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.azure_standins.http_server import Reply
from tests.azure_standins.openai_service import DEPLOYMENT, OpenAIService, error, running, throttled
from tests.azure_standins.search_parts import SearchParts
from tests.conftest import Database
from tests.integration.test_product_search import find, skus
from zava.data.tenant_context import TenantScope
from zava.services.product_search import ProductSearches


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIService]:
    with running(tmp_path, monkeypatch) as service:
        yield service


@pytest.fixture(scope="module")
async def embedded(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A database whose catalogue has the stand-in's vectors."""
    with pytest.MonkeyPatch.context() as patch, running(tmp_path_factory.mktemp("trust"), patch):
        async with SearchParts(module_database) as parts:
            await parts.embed_catalogue()
    return module_database


@pytest.fixture
async def azure(embedded: Database, service: OpenAIService) -> AsyncIterator[ProductSearches]:
    async with SearchParts(embedded, seconds=0.3) as parts:
        yield parts.searches


HAMMER = "Hammers & Striking Tools: 16 oz Curved-Claw Hammer, Hickory Handle\n" + (
    "Hanging pictures, tacking up trim, pulling the odd bent nail - a wooden-handled claw hammer covers most of what a "
    "house asks for. Hickory soaks up the sting and can be replaced when it finally splits."
)


async def test_a_product_is_found_by_meaning_alone(azure: ProductSearches, scope: Callable[..., TenantScope]) -> None:
    # The stand-in gives a text the vector of its very letters: only a product's own text means what the product means.
    result = await find(azure, HAMMER + " ", scope(), similarity_threshold=90)
    assert (result.mode, skus(result)) == ("hybrid", ["HT-HAM-001"])
    assert result.products[0].similarity == pytest.approx(1.0)


async def test_a_querys_vector_is_asked_for_once(
    azure: ProductSearches, service: OpenAIService, scope: Callable[..., TenantScope]
) -> None:
    for _ in range(5):
        assert (await find(azure, "claw hammer", scope())).mode == "hybrid"
    assert service.attempts == 1


async def test_a_query_without_words_is_left_to_meaning(
    azure: ProductSearches, scope: Callable[..., TenantScope]
) -> None:
    assert (await find(azure, "🔨🪛", scope())).mode == "vector"


FAULTS: dict[str, Reply | str] = {
    "hangs": "hang",
    "cuts the connection": "cut",
    "throttles": throttled(retry_after="3600"),
    "fails": error(500, "500", "The server had an error"),
    "refuses the caller": error(401, "401", "Access denied"),
    "refuses the text": error(400, "content_filter", "The input was refused."),
    "answers nonsense": Reply(200, b"{}"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_while_the_embedder_fails_full_text_answers_within_the_time_and_says_so(
    fault: Reply | str, azure: ProductSearches, service: OpenAIService, scope: Callable[..., TenantScope]
) -> None:
    service.faults.always = fault
    for text, wanted in (("claw hammer", "HT-HAM-001"), ("a hammer for hanging pictures on walls", "HT-HAM-001")):
        started = time.monotonic()
        result = await find(azure, text, scope("seattle"))
        assert time.monotonic() - started < 2
        assert (result.mode, wanted in skus(result)[:5]) == ("lexical", True)
        assert "search by meaning is not available at the moment" in result.notice
        assert {product.similarity for product in result.products} == {None}


async def test_after_five_failures_the_embedder_is_left_alone_and_searches_answer_at_once(
    azure: ProductSearches, service: OpenAIService, scope: Callable[..., TenantScope]
) -> None:
    service.faults.always = "hang"
    asked = itertools.count()
    while service.attempts < 5:  # a call that only waited for the client to be loaded is none
        await find(azure, f"hammer {next(asked)}", scope())
    started = time.monotonic()
    for number in range(5, 10):
        assert (await find(azure, f"saw {number}", scope())).mode == "lexical"
    assert time.monotonic() - started < 1
    assert service.attempts == 5


async def test_a_short_deadline_is_kept(
    azure: ProductSearches, service: OpenAIService, scope: Callable[..., TenantScope]
) -> None:
    service.faults.always = "hang"
    started = time.monotonic()
    result = await azure.find("claw hammer", scope(), deadline=started + 5.1)
    assert (result.mode, time.monotonic() - started < 1) == ("lexical", True)


async def test_vectors_of_another_model_are_never_compared(
    fresh_database: Database, service: OpenAIService, scope: Callable[..., TenantScope]
) -> None:
    connection = await fresh_database.superuser()
    await connection.execute("UPDATE zava.active_embedding_model SET embedding_model = $1", DEPLOYMENT)
    models = await connection.fetch("SELECT DISTINCT embedding_model FROM retail.product_description_embeddings")
    await connection.close()
    assert [row[0] for row in models] == ["hash-384"]
    async with SearchParts(fresh_database) as parts:
        result = await find(parts.searches, "🔨 ", scope(), similarity_threshold=0)
    assert (result.products, result.mode, service.attempts) == ((), "vector", 1)


async def test_a_database_that_was_never_embedded_is_searched_by_words(
    fresh_database: Database, service: OpenAIService, scope: Callable[..., TenantScope]
) -> None:
    connection = await fresh_database.superuser()
    await connection.execute(
        "DELETE FROM zava.active_embedding_model; DELETE FROM retail.product_description_embeddings"
    )
    await connection.close()
    async with SearchParts(fresh_database) as parts:
        result = await find(parts.searches, "claw hammer", scope())
        assert (result.mode, skus(result)[0], service.attempts) == ("lexical", "HT-HAM-001", 0)
