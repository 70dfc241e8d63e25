"""Product search on a real database: what is found by which words, and whose stock is shown."""

from __future__ import annotations

import time
from collections.abc import Callable

import asyncpg
import pytest

from tests.azure_standins.search_parts import SearchParts
from tests.conftest import Database
from zava.bootstrap import Application
from zava.data.tenant_context import TenantScope
from zava.errors import BusyError, ValidationError
from zava.local.stores import STORES
from zava.services.product_search import ProductSearches, SearchResult


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
    async with SearchParts(fresh_database) as parts:
        result = await find(parts.searches, "16 oz Curved-Claw Hammer, Hickory Handle", scope(), max_rows=100)
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
        """SELECT p.sku, s.store_name, i.stock_level FROM retail.inventory AS i
           JOIN retail.products AS p USING (product_id) JOIN retail.stores AS s USING (store_id)
           WHERE i.store_id = ANY ($1) AND p.sku = ANY ($2)""",
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
    async with SearchParts(fresh_database, calls_in_flight=0) as parts:
        with pytest.raises(BusyError):
            await find(parts.searches, "hammer", scope())
