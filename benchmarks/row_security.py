"""What row security costs: an aggregate over a million order items as a tenant, against the filter written by hand.

The other side is a superuser, whom no row security binds, with
`store_id = ...` in the SQL and the same planner settings. Both alternate; the ratio of the medians counts.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.contract import Options, Row
from benchmarks.database import Prepared, sample_database
from zava.data.isolation_proof import IsolationProof
from zava.data.pools import Pools
from zava.data.tenant_context import ContextSigner, SigningKey, TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.local.stores import STORES

_SQL = "SELECT count(*), sum(total_amount) FROM retail.order_items"
_BIG, _SMALL = ("bellevue", 1.2), ("spokane", 2.0)


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


async def measure(prepared: Prepared, rounds: int) -> list[Row]:
    settings = prepared.settings
    pools = Pools(settings)
    key = SigningKey.parse(settings.tenant_signing_key.get_secret_value())
    transactions = TenantTransactions(pools, ContextSigner(key), IsolationProof(pools, ContextSigner(key)))
    oracle = await prepared.superuser.open()
    for setting in ("max_parallel_workers_per_gather = 0", "work_mem = '16MB'", "jit = off"):
        await oracle.execute(f"SET {setting}")
    total = await oracle.fetchval("SELECT count(*) FROM retail.order_items")
    rows: list[Row] = []
    for slug, target in (_BIG, _SMALL):
        store = next(store for store in STORES if store.slug == slug)
        scope = TenantScope(frozenset({store.store_id}), "0" * 64)
        own = await oracle.fetchval("SELECT count(*) FROM retail.order_items WHERE store_id = $1", store.store_id)
        assert own is not None
        assert total is not None

        async def as_tenant(scope: TenantScope = scope) -> None:
            deadline = time.monotonic() + 60
            async with transactions.open(scope, timeout_seconds=30, deadline=deadline) as connection:
                await connection.fetch(_SQL)

        async def by_hand(sql: str = f"{_SQL} WHERE store_id = '{store.store_id}'") -> None:
            async with oracle.transaction(readonly=True):
                await oracle.fetch(sql)

        await as_tenant()
        await by_hand()
        pairs = [(await _seconds(as_tenant), await _seconds(by_hand)) for _ in range(rounds)]
        tenant, hand = (statistics.median(side) for side in zip(*pairs, strict=True))
        detail = f"{tenant * 1e3:.1f} ms against {hand * 1e3:.1f} ms, {own} of {total} rows"
        rows.append(
            Row(
                f"row security / filter by hand, {own / total:.0%} of the rows",
                target,
                tenant / hand,
                detail,
                at_most=True,
            )
        )
    await oracle.close()
    await pools.close()
    return rows


def rows(options: Options) -> list[Row]:
    with (
        tempfile.TemporaryDirectory(prefix="zava-bench-", ignore_cleanup_errors=True) as folder,
        sample_database(Path(folder), scale=0.25 if options.quick else 2.1) as prepared,
    ):
        return asyncio.run(measure(prepared, 7 if options.quick else 15))
