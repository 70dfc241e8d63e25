"""Product search on a real database: what is found, in which mode, within which time, and whose stock is shown."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.azure_standins.http_server import Reply
from tests.azure_standins.openai_service import DEPLOYMENT, OpenAIService, azure_embedders, error, running, throttled
from tests.conftest import Database
from zava.bootstrap import Application
from zava.data.embedding_lease import EmbeddingLeases
from zava.data.embedding_models import EmbeddingModels
from zava.data.embedding_store import EmbeddingStore
from zava.data.pools import Pools
from zava.data.product_search import ProductSearch
from zava.data.product_words import read_product_words
from zava.data.tenant_context import TenantScope
from zava.errors import BusyError, ValidationError
from zava.local.stores import STORES
from zava.services.calls_in_flight import CallsInFlight
from zava.services.embedding_refresh import EmbeddingRefresh
from zava.services.product_search import ProductSearches, SearchResult
from zava.services.query_embedding import QueryEmbeddings
from zava.services.spelling import ProductVocabulary

Find = Callable[..., object]


@pytest.fixture
def hashed(application: Application, scope: Callable[..., TenantScope]) -> ProductSearches:
    """As a start without a model searches."""
    return application.product_searches


async def find(searches: ProductSearches, text: str, scope: TenantScope, **options: float) -> SearchResult:
    return await searches.find(text, scope, deadline=time.monotonic() + 20, **options)  # pyright: ignore[reportArgumentType]


def skus(result: SearchResult) -> list[str]:
    return [product.sku for product in result.products]


async def test_a_product_is_found_by_its_words_and_shown_without_cost_and_margin(
    hashed: ProductSearches, scope: Callable[..., TenantScope]
) -> None:
    result = await find(hashed, "claw hammer", scope("seattle"), max_rows=1)
    (product,) = result.products
    assert (product.sku, product.name) == ("HT-HAM-001", "16 oz Curved-Claw Hammer, Hickory Handle")
    assert (product.category, product.type_name) == ("Hand Tools", "Hammers & Striking Tools")
    assert product.similarity is not None
    assert 0 < product.similarity < 1
    assert not {"cost", "gross_margin_percent", "margin"} & set(dir(product))


async def test_without_a_model_the_answer_says_that_words_and_spelling_are_all_there_is(
    hashed: ProductSearches, scope: Callable[..., TenantScope]
) -> None:
    result = await find(hashed, "claw hammer", scope())
    assert result.mode == "lexical"
    assert "no embedding model is set up" in result.notice


STRANGE = {
    "empty": ("", 0),
    "blanks": (" \n\t ", 0),
    "ten thousand characters": ("hammer " * 1_500, None),
    "one word of ten thousand letters": ("x" * 10_000, None),
    "emoji": ("🔨🪛🧰", None),
    "stop words": ("the of and", None),
    "punctuation": ("!!! ??? --", None),
    "SQL": ("'; DROP TABLE retail.products; --", None),
    "a tautology": ("' OR '1'='1", None),
    "tsquery syntax": ("a & b | !c <-> (d:*", None),
    "unbalanced quotes": ('"drill bit', None),
    "backslashes": (r"C:\temp\'hammer\'", None),
    "NUL": ("ham\0mer", None),
    "half a surrogate pair": ("hammer \ud83d", None),
    "right-to-left and combining": ("\u202ehammer e\u0301\u0301", None),
    "Chinese": ("电钻", None),
    "a thousand words": (" ".join(f"word{number}" for number in range(1_000)), None),
    "misspelt with quotes": ("scrwdriver 1/2 in. o'neil \\ ' set", None),
    "only a negation": ("-hammer", None),
}


@pytest.mark.parametrize(("text", "count"), STRANGE.values(), ids=STRANGE)
async def test_any_text_is_a_fine_query(
    text: str, count: int | None, hashed: ProductSearches, scope: Callable[..., TenantScope]
) -> None:
    started = time.monotonic()
    result = await find(hashed, text, scope("seattle"))
    assert time.monotonic() - started < 3
    assert len(result.products) == count if count is not None else len(result.products) <= 20
    assert result.products or result.notice


@pytest.mark.parametrize(
    ("options", "notice"),
    [
        ({"max_rows": 0}, "max_rows is from 1 to 100, so 1 was taken."),
        ({"max_rows": 5_000}, "max_rows is from 1 to 100, so 100 was taken."),
        ({"similarity_threshold": -3}, "similarity_threshold is from 0 to 100, so 0 was taken."),
        ({"similarity_threshold": 101}, "similarity_threshold is from 0 to 100, so 100 was taken."),
    ],
)
async def test_parameters_beyond_their_bounds_are_clamped_and_it_is_said(
    options: dict[str, float], notice: str, hashed: ProductSearches, scope: Callable[..., TenantScope]
) -> None:
    assert notice in (await find(hashed, "hammer", scope(), **options)).notice


@pytest.mark.parametrize("threshold", [float("nan"), float("inf")])
async def test_a_threshold_that_is_no_number_is_refused(
    threshold: float, hashed: ProductSearches, scope: Callable[..., TenantScope]
) -> None:
    with pytest.raises(ValidationError, match="must be a number from 0 to 100"):
        await find(hashed, "hammer", scope(), similarity_threshold=threshold)


async def test_no_more_rows_come_than_asked_for(hashed: ProductSearches, scope: Callable[..., TenantScope]) -> None:
    for rows in (1, 7, 100):
        result = await find(hashed, "paint", scope(), max_rows=rows, similarity_threshold=0)
        assert len(set(skus(result))) == len(result.products) <= rows
        assert rows == 100 or len(result.products) == rows


OPERATORS = {
    "a phrase": ('"pipe wrench"', "HT-WRE-003", "HT-WRE-001"),
    "a word excluded": ("hammer -rubber", "HT-HAM-001", "HT-HAM-005"),
    "either word": ('"wax ring" or "chalk line"', "HT-MEA-006", "HT-HAM-001"),
}


@pytest.mark.parametrize(("text", "wanted", "unwanted"), OPERATORS.values(), ids=OPERATORS)
async def test_quotes_minus_and_or_mean_what_they_mean_in_a_web_search(
    text: str, wanted: str, unwanted: str, hashed: ProductSearches, scope: Callable[..., TenantScope]
) -> None:
    found = skus(await find(hashed, text, scope(), similarity_threshold=100, max_rows=100))
    assert (wanted in found, unwanted in found) == (True, False)


async def test_a_misspelt_word_is_searched_for_as_what_it_was_meant_to_be_and_the_notice_says_so(
    hashed: ProductSearches, scope: Callable[..., TenantScope]
) -> None:
    result = await find(hashed, "garden hoze", scope(), similarity_threshold=100)
    assert "GO-WAT-001" in skus(result)
    assert "No product text holds 'hoze'" in result.notice
    assert "hose" in result.notice


async def test_an_inflection_that_stands_in_no_text_is_not_taken_for_a_mistake(
    hashed: ProductSearches, scope: Callable[..., TenantScope], oracle: asyncpg.Connection
) -> None:
    assert not await oracle.fetchval("SELECT bool_or(product_description ~* '\\mhammered\\M') FROM retail.products")
    result = await find(hashed, "hammered", scope(), similarity_threshold=100)
    assert result.products
    assert "No product text holds" not in result.notice


async def test_products_no_longer_sold_are_not_found(
    fresh_database: Database, scope: Callable[..., TenantScope]
) -> None:
    connection = await fresh_database.superuser()
    await connection.execute("UPDATE retail.products SET discontinued = true WHERE sku = 'HT-HAM-001'")
    await connection.close()
    async with _application(fresh_database) as searches:
        result = await find(searches, "16 oz Curved-Claw Hammer, Hickory Handle", scope(), max_rows=100)
        assert result.products
        assert "HT-HAM-001" not in skus(result)


@pytest.mark.parametrize("slugs", [*([store.slug] for store in STORES), ["seattle", "spokane"], []])
async def test_the_stock_is_that_of_the_stores_in_scope_and_of_no_other(
    slugs: list[str], hashed: ProductSearches, scope: Callable[..., TenantScope], oracle: asyncpg.Connection
) -> None:
    mine = scope(*slugs)
    result = await find(hashed, "paint", mine, max_rows=50)
    truth: dict[str, dict[str, int]] = {sku: {} for sku in skus(result)}
    for sku, store, level in await oracle.fetch(
        """SELECT p.sku, s.store_name, i.stock_level FROM retail.inventory AS i JOIN retail.products AS p USING (product_id)
           JOIN retail.stores AS s USING (store_id) WHERE i.store_id = ANY ($1) AND p.sku = ANY ($2)""",
        list(mine.store_ids),
        list(truth),
    ):
        truth[sku][store] = level
    assert {product.sku: dict(product.stock) for product in result.products} == truth
    assert any(truth.values())


async def test_nothing_but_the_stock_depends_on_the_scope(
    hashed: ProductSearches, scope: Callable[..., TenantScope]
) -> None:
    for text in ("paint", "garden hoze", "something for a wall", "🔨"):
        seen = [await find(hashed, text, scope(*slugs), max_rows=50) for slugs in ((), ("seattle",), ("kirkland",))]
        without_stock = [
            (result.mode, result.notice, [(p.sku, p.similarity, p.price, p.description) for p in result.products])
            for result in seen
        ]
        assert without_stock[0] == without_stock[1] == without_stock[2]


async def test_a_caller_has_as_many_searches_running_as_queries_and_no_more(
    fresh_database: Database, scope: Callable[..., TenantScope]
) -> None:
    async with _application(fresh_database, calls_in_flight=0) as searches:
        with pytest.raises(BusyError):
            await find(searches, "hammer", scope())


# ---- with Azure OpenAI's stand-in as the active model


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIService]:
    with running(tmp_path, monkeypatch) as service:
        yield service


class _application:  # noqa: N801  (reads as a function)
    """Search parts of one's own over a database, with `azure_embedders`."""

    def __init__(self, database: Database, *, calls_in_flight: int = 3, seconds: float = 3.0) -> None:
        self._database = database
        self.pools = Pools(database.settings)
        self.embedders = azure_embedders(database.settings)
        self.models = EmbeddingModels(self.pools)
        self.searches = ProductSearches(
            ProductSearch(database.transactions(self.pools)),
            self.models,
            QueryEmbeddings(self.embedders, seconds),
            ProductVocabulary(lambda: read_product_words(self.pools)),
            CallsInFlight(calls_in_flight),
        )

    async def __aenter__(self) -> ProductSearches:
        return self.searches

    async def __aexit__(self, *arguments: object) -> None:
        await self.embedders.close()
        await self.pools.close()

    async def embed_catalogue(self) -> None:
        refresh = EmbeddingRefresh(
            EmbeddingStore(self.pools), EmbeddingLeases(self.pools), self.models, self.embedders
        )
        assert (await refresh.run(model=DEPLOYMENT)).outcome == "completed"
        await self.models.activate(DEPLOYMENT)


@pytest.fixture
async def azure(fresh_database: Database, service: OpenAIService) -> AsyncIterator[ProductSearches]:
    parts = _application(fresh_database, seconds=0.3)
    async with parts as searches:
        await parts.embed_catalogue()
        service.attempts = 0
        yield searches


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
    for number in range(5):
        await find(azure, f"hammer {number}", scope())
    started = time.monotonic()
    for number in range(5, 10):
        assert (await find(azure, f"hammer {number}", scope())).mode == "lexical"
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
    azure: ProductSearches, fresh_database: Database, scope: Callable[..., TenantScope]
) -> None:
    connection = await fresh_database.superuser()
    await connection.execute("DELETE FROM retail.product_description_embeddings WHERE embedding_model = $1", DEPLOYMENT)
    others = await connection.fetchval("SELECT count(*) FROM retail.product_description_embeddings")
    await connection.close()
    assert others > 0
    result = await find(azure, "🔨 ", scope(), similarity_threshold=0)
    assert (result.products, result.mode) == ((), "vector")


async def test_a_database_that_was_never_embedded_is_searched_by_words(
    fresh_database: Database, service: OpenAIService, scope: Callable[..., TenantScope]
) -> None:
    connection = await fresh_database.superuser()
    await connection.execute("DELETE FROM zava.active_embedding_model; DELETE FROM retail.product_description_embeddings")
    await connection.close()
    async with _application(fresh_database) as searches:
        result = await find(searches, "claw hammer", scope())
        assert (result.mode, skus(result)[0], service.attempts) == ("lexical", "HT-HAM-001", 0)
