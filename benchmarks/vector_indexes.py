"""Kinds of vector index over one table, each with its recall and its times.

The vectors lie as a model's do, near a surface of few dimensions and in clusters that overlap.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

import asyncpg
import numpy as np
from numpy.typing import NDArray
from pgvector import Vector

from benchmarks.products import add_products
from zava.data.vectors import COLUMN_DIMENSIONS

MODEL = "benchmark"
TOP = 10
_HALF = "description_embedding::halfvec(1536)"
_EXACT = f"""SELECT product_id FROM retail.product_description_embeddings
    WHERE embedding_model = '{MODEL}' ORDER BY description_embedding <=> $1 LIMIT {TOP}"""
_BY_HALF = f"""SELECT product_id FROM retail.product_description_embeddings
    WHERE embedding_model = '{MODEL}' ORDER BY {_HALF} <=> $1::vector::halfvec(1536) LIMIT {TOP}"""
_MEASURED_AGAIN = f"""WITH nearest AS MATERIALIZED (
        SELECT product_id, description_embedding FROM retail.product_description_embeddings
        WHERE embedding_model = '{MODEL}' ORDER BY {_HALF} <=> $1::vector::halfvec(1536) LIMIT 50)
    SELECT product_id FROM nearest ORDER BY description_embedding <=> $1 LIMIT {TOP}"""
_FILTERED = f"""SELECT product_id FROM retail.product_description_embeddings
    WHERE embedding_model = '{MODEL}' AND content_hash = 'a fifth'
    ORDER BY {_HALF} <=> $1::vector::halfvec(1536) LIMIT {TOP}"""
_ON = f"ON retail.product_description_embeddings USING {{}} WHERE embedding_model = '{MODEL}'"

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


INDEXES = (
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
        return {self.ids[int(position)] for position in np.argpartition(-similarities, TOP)[:TOP]}


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


async def load(connection: asyncpg.Connection, rows: int, queries: int) -> Catalogue:
    source = _Vectors()
    vectors = source.some(rows)
    ids = await add_products(connection, rows)
    a_fifth = source.marked(rows, 0.2)

    async def records() -> AsyncIterator[tuple[object, ...]]:
        for product_id, vector, mark in zip(ids, vectors, a_fifth, strict=True):
            yield product_id, MODEL, Vector(vector), "a fifth" if mark else "the rest"

    await connection.copy_records_to_table(
        "product_description_embeddings",
        schema_name="retail",
        columns=("product_id", "embedding_model", "description_embedding", "content_hash"),
        records=records(),
    )
    await connection.execute("VACUUM ANALYZE retail.product_description_embeddings")
    return Catalogue(vectors, ids, a_fifth, source.some(queries))


async def measure(
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
    return hits / (TOP * queries), times


def p95(times: Iterable[float]) -> float:
    return statistics.quantiles(times, n=20)[18]


async def compare(connection: asyncpg.Connection, catalogue: Catalogue, indexes: Sequence[Index]) -> float:
    """Say one line a kind on standard error; the median of the exact scan, in milliseconds."""
    exact = 0.0
    head = f"{'kind':56}{'recall@10':>10}{'median ms':>11}{'p95 ms':>9}{'MB':>7}{'built in s':>12}"
    print(head, file=sys.stderr)
    for index in indexes:
        seconds, megabytes = 0.0, 0
        if index.definition:
            started = time.perf_counter()
            await connection.execute(f"CREATE INDEX benchmark_index {_ON.format(index.definition)}")
            seconds = time.perf_counter() - started
            megabytes = await connection.fetchval("SELECT pg_relation_size('retail.benchmark_index') / 1048576")
        for kind in index.kinds:
            queries = len(catalogue.queries) if index.definition else max(10, len(catalogue.queries) // 5)
            recall, times = await measure(connection, kind, catalogue, queries)
            exact = exact or statistics.median(times)
            print(
                f"{kind.name:56}{recall:10.3f}{statistics.median(times):11.2f}{p95(times):9.2f}{megabytes:7}{seconds:12.1f}",
                file=sys.stderr,
            )
        if index.definition:
            await connection.execute("DROP INDEX retail.benchmark_index")
    return exact
