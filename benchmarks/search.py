"""Product search: kinds of vector index against the exact scan, and whole searches a second.

`python -m benchmarks.search [--quick]`. 50 000 vectors of 1536 numbers, the top 10 of queries of the same kind; all
kinds of index in one run over one table, one after another (--quick: fewer queries, and of the indexes only the
architecture's and ours). The choice made by this table is that of `retail.search_products_by_description`: HNSW over
half precision, ef_search 200, the nearest measured again in full precision; no iterative scan, because the one filter,
by model, is the index's own predicate.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from array import array
from collections.abc import Sequence
from pathlib import Path

from pgvector.asyncpg import register_vector

from benchmarks.database import Prepared, sample_database
from benchmarks.table import Row, print_table
from benchmarks.vector_indexes import INDEXES, MODEL, TOP, Index, Kind, compare, load, measure, p95
from zava import bootstrap
from zava.data.embedding_models import build_index
from zava.data.tenant_context import TenantScope
from zava.local.stores import STORES

_PRODUCTS = 50_000
_CLIENTS = 8


async def _of_many(prepared: Prepared, queries: int, indexes: Sequence[Index]) -> list[Row]:
    connection = await prepared.superuser.open()
    await register_vector(connection)
    await connection.execute("SET maintenance_work_mem = '1GB'")
    catalogue = await load(connection, _PRODUCTS, queries)
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
        Row("recall@10 of search_products_by_description", 0.98, recall, f"{_PRODUCTS} products, {queries} queries"),
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


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer kinds and queries")
    quick = parser.parse_args(arguments).quick
    with (
        tempfile.TemporaryDirectory(prefix="zava-bench-", ignore_cleanup_errors=True) as folder,
        sample_database(Path(folder), scale=0.1) as prepared,
    ):
        searches = asyncio.run(_whole_searches(prepared, 3 if quick else 10))
        rows = asyncio.run(_of_many(prepared, 50, INDEXES[:2]) if quick else _of_many(prepared, 200, INDEXES))
        print()
        return print_table([*rows, searches])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
