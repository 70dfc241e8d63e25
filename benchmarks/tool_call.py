"""The tool call in process, against bare asyncpg doing BEGIN / set / query / COMMIT on a pool of the same size.

Both sides alternate in rounds of the same run; the ratio is what counts.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg

from benchmarks.contract import Options, Row
from benchmarks.database import sample_database
from zava import bootstrap
from zava.data.tenant_context import ContextSigner, SigningKey, TenantScope
from zava.local.stores import STORES
from zava.platform.settings import Settings

_CLIENTS = 16
_SQL = "SELECT count(*) FROM stores"
_TARGET = 0.6


async def _rate(call: Callable[[int], Awaitable[object]], seconds: float) -> float:
    """Calls per second of 16 clients, each its own principal, that call one after another."""
    done = 0
    until = time.perf_counter() + seconds

    async def client(number: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await call(number)
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(_CLIENTS)))
    return done / (time.perf_counter() - started)


async def measure(settings: Settings, seconds: float, rounds: int) -> Row:
    application = bootstrap.build(settings)
    stores = frozenset(store.store_id for store in STORES[:1])
    scopes = [TenantScope(stores, f"{number:064x}") for number in range(_CLIENTS)]
    signer = ContextSigner(SigningKey.parse(settings.tenant_signing_key.get_secret_value()))
    pool = await asyncpg.create_pool(
        host=settings.postgres_host,
        port=settings.postgres_port,
        database=settings.postgres_database,
        user=settings.postgres_reader_user,
        password=settings.postgres_password.get_secret_value(),
        ssl=False,
        min_size=0,
        max_size=settings.postgres_reader_pool_max,
        statement_cache_size=0,
    )

    async def tool(number: int) -> object:
        return await application.sales_queries.run(_SQL, scopes[number], deadline=time.monotonic() + 25)

    async def bare(number: int) -> object:
        async with pool.acquire() as connection, connection.transaction(readonly=True):
            await connection.fetchval("SELECT set_config('zava.tenant_context', $1, true)", signer.sign(scopes[number]))
            return await connection.fetch(_SQL)

    ratios: list[float] = []
    rates: list[tuple[float, float]] = []
    try:
        await _rate(tool, 0.5)
        await _rate(bare, 0.5)
        for _ in range(rounds):
            pair = (await _rate(tool, seconds), await _rate(bare, seconds))
            rates.append(pair)
            ratios.append(pair[0] / pair[1])
    finally:
        await pool.close()
        await application.pools.close()
    tools, bares = (statistics.median(side) for side in zip(*rates, strict=True))
    detail = f"{tools:.0f} against {bares:.0f} calls/s at {_CLIENTS} clients"
    return Row("tool call in process / bare asyncpg", _TARGET, statistics.median(ratios), detail)


def rows(options: Options) -> list[Row]:
    with (
        tempfile.TemporaryDirectory(prefix="zava-bench-", ignore_cleanup_errors=True) as folder,
        sample_database(Path(folder), scale=0.01) as prepared,
    ):
        return [asyncio.run(measure(prepared.settings, 1 if options.quick else 3, 3 if options.quick else 7))]
