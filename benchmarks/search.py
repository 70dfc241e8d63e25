"""Product search: kinds of vector index against the exact scan, and whole searches a second.

50 000 vectors of 1536 numbers (quick: 10 000), the top 10 of queries of the same kind; all kinds of index in one run
over one table, one after another (quick: fewer queries, and of the indexes only the architecture's). The choice made by
this table is that of `retail.search_products_by_description`: HNSW over half precision, ef_search 200, the nearest
measured again in full precision; no iterative scan, because the one filter, by model, is the index's own predicate.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from array import array
from collections.abc import Sequence
from pathlib import Path

from pgvector.asyncpg import register_vector

from benchmarks.contract import Options, Row
from benchmarks.database import Prepared, sample_database
from benchmarks.vector_indexes import INDEXES, MODEL, TOP, Index, Kind, compare, load, measure, p95
from zava import bootstrap
from zava.data.embedding_models import build_index
from zava.data.tenant_context import TenantScope
from zava.local.stores import STORES

_CLIENTS = 8


async def _of_many(prepared: Prepared, products: int, queries: int, indexes: Sequence[Index]) -> list[Row]:
    connection = await prepared.superuser.open()
    await register_vector(connection)
    await connection.execute("SET maintenance_work_mem = '1GB'")
    catalogue = await load(connection, products, queries)
    exact = await compare(connection, catalogue, indexes)
    await build_index(prepared.superuser, MODEL)
    function = Kind(
        "the function",
        f"SELECT product_id FROM retail.search_products_by_description($1, -1, {TOP}, '{MODEL}')",
    )
    recall, times = await measure(connection, function, catalogue, queries)
    await connection.execute("DELETE FROM retail.products WHERE sku LIKE 'BENCH-%'")
    await connection.close()
    median = statistics.median(times)
    return [
        Row("recall@10 of search_products_by_description", 0.98, recall, f"{products} products, {queries} queries"),
        Row(
            "exact scan / search_products_by_description",
            15,
            exact / median,
            f"medians {exact:.1f} and {median:.2f} ms, p95 {p95(times):.2f} ms",
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
    detail = f"{_CLIENTS} clients, median {statistics.median(times):.1f} ms, p95 {p95(times):.1f} ms"
    return Row("whole searches a second, vectors cached", 200, rate, detail)


def rows(options: Options) -> list[Row]:
    products, queries, indexes = (10_000, 50, INDEXES[:2]) if options.quick else (50_000, 200, INDEXES)
    with (
        tempfile.TemporaryDirectory(prefix="zava-bench-", ignore_cleanup_errors=True) as folder,
        sample_database(Path(folder), scale=0.05 if options.quick else 0.1) as prepared,
    ):
        searches = asyncio.run(_whole_searches(prepared, 2 if options.quick else 10))
        return [*asyncio.run(_of_many(prepared, products, queries, indexes)), searches]
