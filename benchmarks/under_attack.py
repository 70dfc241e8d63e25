"""The others' p95 while one tenant sends five hostile queries at a time, against their p95 with nobody in the way.

Quiet and disturbed rounds alternate; the ratio is what counts.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.contract import Options, Row
from benchmarks.database import sample_database
from zava import bootstrap
from zava.bootstrap import Application
from zava.data.tenant_context import TenantScope
from zava.errors import BusyError, DatabaseError
from zava.local.stores import STORES
from zava.platform.settings import Settings

_TARGET = 3.0
_HOSTILE_AT_A_TIME = 5
_HONEST = (
    "SELECT status, count(*), sum(total_amount) FROM orders GROUP BY status",
    "SELECT date_trunc('month', order_date) AS month, sum(total_amount) FROM orders GROUP BY 1 ORDER BY 1",
    "SELECT product_name, sum(quantity) AS sold FROM order_items JOIN products USING (product_id) "
    "GROUP BY product_name ORDER BY sold DESC LIMIT 10",
)
# Processor, memory and disk: each would run for minutes.
_HOSTILE = (
    "SELECT count(*) FROM order_items AS a, order_items AS b, order_items AS c",
    "SELECT a.order_item_id FROM order_items AS a, order_items AS b, products AS p "
    "ORDER BY a.total_amount * b.total_amount * p.cost LIMIT 10",
    "SELECT json_agg(a.*) FROM order_items AS a JOIN order_items AS b USING (store_id)",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "SELECT count(DISTINCT (a.order_item_id, b.order_item_id)) FROM order_items AS a, order_items AS b",
)


async def _honest(application: Application, number: int, until: float) -> list[float]:
    scope = TenantScope(frozenset({STORES[number].store_id}), f"{number:064x}")
    times: list[float] = []
    for sql in itertools.cycle(_HONEST):
        started = time.monotonic()
        if started > until:
            break
        await application.sales_queries.run(sql, scope, deadline=started + 25)
        times.append(time.monotonic() - started)
        await asyncio.sleep(0.02)
    return times


async def _p95(application: Application, seconds: float) -> float:
    """Of the calls of two other tenants, in seconds."""
    until = time.monotonic() + seconds
    series = await asyncio.gather(*(_honest(application, number, until) for number in (1, 2)))
    return statistics.quantiles([taken for times in series for taken in times], n=20)[-1]


async def _attack(application: Application) -> None:
    """Send for ever, five at a time and again at once what ended, as a client does that does not care."""
    scope = TenantScope(frozenset({STORES[0].store_id}), "ee" * 32)

    async def sender(number: int) -> None:
        for sql in itertools.cycle(_HOSTILE[number:] + _HOSTILE[:number]):
            try:
                await application.sales_queries.run(sql, scope, deadline=time.monotonic() + 25)
            except BusyError:
                await asyncio.sleep(0.05)
            except DatabaseError:
                continue

    await asyncio.gather(*(sender(number) for number in range(_HOSTILE_AT_A_TIME)))


async def measure(settings: Settings, seconds: float, rounds: int) -> Row:
    application = bootstrap.build(settings)
    pairs: list[tuple[float, float]] = []
    try:
        await _p95(application, 1)
        for _ in range(rounds):
            quiet = await _p95(application, seconds)
            attack = asyncio.ensure_future(_attack(application))
            await asyncio.sleep(0.5)
            pairs.append((quiet, await _p95(application, seconds)))
            attack.cancel()
            await asyncio.gather(attack, return_exceptions=True)
    finally:
        await application.pools.close()
    ratio = statistics.median(disturbed / quiet for quiet, disturbed in pairs)
    quiet, disturbed = (statistics.median(side) * 1e3 for side in zip(*pairs, strict=True))
    detail = f"{disturbed:.1f} ms against {quiet:.1f} ms"
    return Row("p95 of others under attack / without", _TARGET, ratio, detail, at_most=True)


def rows(options: Options) -> list[Row]:
    with (
        tempfile.TemporaryDirectory(prefix="zava-bench-", ignore_cleanup_errors=True) as folder,
        sample_database(Path(folder), scale=0.05 if options.quick else 0.2) as prepared,
    ):
        return [asyncio.run(measure(prepared.settings, 2 if options.quick else 10, 2 if options.quick else 5))]
