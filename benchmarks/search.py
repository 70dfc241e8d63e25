"""Product search: kinds of vector index against the exact scan, and whole searches a second.

`python -m benchmarks.search [--quick]`. 50 000 vectors of 1536 numbers, the top 10 of queries of the same kind, all kinds
of index in one run over the same table, one after another (--quick: fewer queries, and of the indexes only the
architecture's and ours). The vectors lie as a model's do, near a surface of few dimensions and in clusters that overlap.
The choice made by this table is that of `retail.search_products_by_description`: HNSW over half precision, ef_search
200, the nearest measured again in full precision; no iterative scan, because the one filter, by model, is the index's
own predicate.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from array import array
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import numpy as np
from numpy.typing import NDArray
from pgvector import Vector
from pgvector.asyncpg import register_vector

from benchmarks.database import Prepared, sample_database
from benchmarks.table import Row, print_table
from zava import bootstrap
from zava.data.embedding_models import build_index
from zava.data.tenant_context import TenantScope
from zava.data.vectors import COLUMN_DIMENSIONS
from zava.local.stores import STORES

_MODEL = "benchmark"
_ROWS = 50_000
_TOP = 10
_CLIENTS = 8
_HALF = "description_embedding::halfvec(1536)"
_EXACT = f"""SELECT product_id FROM retail.product_description_embeddings
    WHERE embedding_model = '{_MODEL}' ORDER BY description_embedding <=> $1 LIMIT {_TOP}"""
_BY_HALF = f"""SELECT product_id FROM retail.product_description_embeddings
    WHERE embedding_model = '{_MODEL}' ORDER BY {_HALF} <=> $1::vector::halfvec(1536) LIMIT {_TOP}"""
_MEASURED_AGAIN = f"""WITH nearest AS MATERIALIZED (
        SELECT product_id, description_embedding FROM retail.product_description_embeddings
        WHERE embedding_model = '{_MODEL}' ORDER BY {_HALF} <=> $1::vector::halfvec(1536) LIMIT 50)
    SELECT product_id FROM nearest ORDER BY description_embedding <=> $1 LIMIT {_TOP}"""
_FILTERED = f"""SELECT product_id FROM retail.product_description_embeddings
    WHERE embedding_model = '{_MODEL}' AND content_hash = 'a fifth'
    ORDER BY {_HALF} <=> $1::vector::halfvec(1536) LIMIT {_TOP}"""
_ON = f"ON retail.product_description_embeddings USING {{}} WHERE embedding_model = '{_MODEL}'"

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to ask, and the settings it is asked with."""

    name: str
    sql: str
    settings: tuple[str, ...] = ()
    filtered: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    definition: str
    kinds: tuple[Kind, ...]


def _hnsw(name: str, sql: str, ef: int) -> Kind:
    return Kind(f"{name}, ef_search {ef}", sql, (f"hnsw.ef_search = {ef}",))


_INDEXES = (
    Index("", (Kind("exact scan", _EXACT),)),
    Index(
        "ivfflat (description_embedding vector_cosine_ops) WITH (lists = 100)",
        (
            Kind("ivfflat, lists 100, probes 1 (the architecture's text)", _EXACT),
            Kind("ivfflat, lists 100, probes 10", _EXACT, ("ivfflat.probes = 10",)),
        ),
    ),
    Index(
        "hnsw (description_embedding vector_cosine_ops)",
        tuple(_hnsw("hnsw vector", _EXACT, ef) for ef in (40, 100, 200)),
    ),
    Index(
        f"hnsw (({_HALF}) halfvec_cosine_ops)",
        (
            *(_hnsw("hnsw halfvec", _BY_HALF, ef) for ef in (40, 100, 200)),
            _hnsw("hnsw halfvec, 50 measured again", _MEASURED_AGAIN, 200),
            Kind("hnsw halfvec, a fifth of the rows, plain", _FILTERED, ("hnsw.ef_search = 200",), filtered=True),
            Kind(
                "hnsw halfvec, a fifth of the rows, iterative",
                _FILTERED,
                ("hnsw.ef_search = 200", "hnsw.iterative_scan = relaxed_order"),
                filtered=True,
            ),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Vectors, their products' ids in the same order, which rows pass the filter, and queries."""

    vectors: Matrix
    ids: Sequence[object]
    a_fifth: NDArray[np.bool_]
    queries: Matrix

    def nearest(self, query: Matrix, *, filtered: bool) -> set[object]:
        similarities = self.vectors @ query
        if filtered:
            similarities = np.where(self.a_fifth, similarities, -2)
        return {self.ids[int(position)] for position in np.argpartition(-similarities, _TOP)[:_TOP]}


class _Vectors:
    """Points around 300 centres in 48 dimensions, spread as far as the centres are apart, laid into 1536 with noise."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(1)
        self._centres = self._rng.standard_normal((300, 48), dtype=np.float32)
        self._into = self._rng.standard_normal((48, COLUMN_DIMENSIONS), dtype=np.float32)

    def some(self, rows: int) -> Matrix:
        near = self._centres[self._rng.integers(0, len(self._centres), rows)]
        points = (near + self._rng.standard_normal(near.shape, dtype=np.float32)) @ self._into
        points += self._rng.standard_normal(points.shape, dtype=np.float32) * np.float32(2)
        return points / np.linalg.norm(points, axis=1, keepdims=True)

    def marked(self, rows: int, share: float) -> NDArray[np.bool_]:
        return self._rng.random(rows) < share


async def _load(connection: asyncpg.Connection, rows: int, queries: int) -> Catalogue:
    source = _Vectors()
    vectors = source.some(rows)
    ids = [
        row[0]
        for row in await connection.fetch(
            """INSERT INTO retail.products (product_id, sku, product_name, category_id, type_id, cost, base_price,
                                            gross_margin_percent, product_description)
               SELECT gen_random_uuid(), 'BENCH-' || n, p.product_name || ' ' || n, p.category_id, p.type_id, 1, 2, 50,
                      p.product_description
               FROM (SELECT *, row_number() OVER () - 1 AS place, count(*) OVER () AS many FROM retail.products) AS p
               JOIN generate_series(1, $1::int) AS n ON n % p.many = p.place
               RETURNING product_id""",
            rows,
        )
    ]
    a_fifth = source.marked(rows, 0.2)

    async def records() -> AsyncIterator[tuple[object, ...]]:
        for product_id, vector, mark in zip(ids, vectors, a_fifth, strict=True):
            yield product_id, _MODEL, Vector(vector), "a fifth" if mark else "the rest"

    await connection.copy_records_to_table(
        "product_description_embeddings",
        schema_name="retail",
        columns=("product_id", "embedding_model", "description_embedding", "content_hash"),
        records=records(),
    )
    await connection.execute("VACUUM ANALYZE retail.product_description_embeddings")
    await connection.execute("VACUUM ANALYZE retail.products")
    return Catalogue(vectors, ids, a_fifth, source.some(queries))


async def _measure(
    connection: asyncpg.Connection, kind: Kind, catalogue: Catalogue, queries: int
) -> tuple[float, list[float]]:
    """Recall at 10, and the milliseconds of each query."""
    hits, times = 0, []
    async with connection.transaction():
        for setting in kind.settings:
            await connection.execute(f"SET LOCAL {setting}")
        await connection.fetch(kind.sql, Vector(catalogue.queries[0]))
        for query in catalogue.queries[:queries]:
            started = time.perf_counter()
            found = await connection.fetch(kind.sql, Vector(query))
            times.append((time.perf_counter() - started) * 1e3)
            hits += len({row[0] for row in found} & catalogue.nearest(query, filtered=kind.filtered))
    return hits / (_TOP * queries), times


def _p95(times: Iterable[float]) -> float:
    return statistics.quantiles(times, n=20)[18]


async def _kinds(connection: asyncpg.Connection, catalogue: Catalogue, indexes: Sequence[Index]) -> float:
    """Print one line a kind; the median of the exact scan, in milliseconds."""
    exact = 0.0
    print(f"{'kind':56}{'recall@10':>10}{'median ms':>11}{'p95 ms':>9}{'MB':>7}{'built in s':>12}")
    for index in indexes:
        seconds, megabytes = 0.0, 0
        if index.definition:
            started = time.perf_counter()
            await connection.execute(f"CREATE INDEX benchmark_index {_ON.format(index.definition)}")
            seconds = time.perf_counter() - started
            megabytes = await connection.fetchval("SELECT pg_relation_size('retail.benchmark_index') / 1048576")
        for kind in index.kinds:
            queries = len(catalogue.queries) if index.definition else max(10, len(catalogue.queries) // 5)
            recall, times = await _measure(connection, kind, catalogue, queries)
            exact = exact or statistics.median(times)
            print(
                f"{kind.name:56}{recall:10.3f}{statistics.median(times):11.2f}{_p95(times):9.2f}{megabytes:7}{seconds:12.1f}",
                flush=True,
            )
        if index.definition:
            await connection.execute("DROP INDEX retail.benchmark_index")
    return exact


async def _of_many(prepared: Prepared, queries: int, indexes: Sequence[Index]) -> list[Row]:
    connection = await prepared.superuser.open()
    await register_vector(connection)
    await connection.execute("SET maintenance_work_mem = '1GB'")
    catalogue = await _load(connection, _ROWS, queries)
    exact = await _kinds(connection, catalogue, indexes)
    await build_index(prepared.superuser, _MODEL)
    function = Kind(
        "the function",
        f"SELECT product_id FROM retail.search_products_by_description($1, -1, {_TOP}, '{_MODEL}')",
    )
    recall, times = await _measure(connection, function, catalogue, queries)
    await connection.execute("DELETE FROM retail.products WHERE sku LIKE 'BENCH-%'")
    await connection.close()
    median = statistics.median(times)
    return [
        Row("recall@10 of search_products_by_description", 0.98, recall, f"{_ROWS} products, {queries} queries"),
        Row(
            "exact scan / search_products_by_description",
            15,
            exact / median,
            f"medians {exact:.1f} and {median:.2f} ms, p95 {_p95(times):.2f} ms",
        ),
    ]


async def _whole_searches(prepared: Prepared, seconds: float) -> Row:
    """Searches over the sample's catalogue, as the tool makes them, with the queries' vectors in the cache."""
    application = bootstrap.build(prepared.settings)
    texts = ("claw hammer", "garden hose for the lawn", "something to unclog a sink", "white paint", "20 V drill")
    scopes = [TenantScope(frozenset({store.store_id}), f"{number:064x}") for number, store in enumerate(STORES)]
    for text in texts:
        await application.product_searches.find(text, scopes[0], deadline=time.monotonic() + 25)
    times: array[float] = array("d")
    until = time.perf_counter() + seconds

    async def client(number: int) -> None:
        turn = number
        while (started := time.perf_counter()) < until:
            turn += 1
            await application.product_searches.find(
                texts[turn % len(texts)], scopes[number], deadline=time.monotonic() + 25
            )
            times.append((time.perf_counter() - started) * 1e3)

    started = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(_CLIENTS)))
    rate = len(times) / (time.perf_counter() - started)
    await application.pools.close()
    detail = f"{_CLIENTS} clients, median {statistics.median(times):.1f} ms, p95 {_p95(times):.1f} ms"
    return Row("whole searches a second, vectors cached", 200, rate, detail)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer kinds and queries")
    quick = parser.parse_args(arguments).quick
    with (
        tempfile.TemporaryDirectory(prefix="zava-bench-", ignore_cleanup_errors=True) as folder,
        sample_database(Path(folder), scale=0.1) as prepared,
    ):
        searches = asyncio.run(_whole_searches(prepared, 3 if quick else 10))
        rows = asyncio.run(_of_many(prepared, 50, _INDEXES[:2]) if quick else _of_many(prepared, 200, _INDEXES))
        print()
        return print_table([*rows, searches])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
