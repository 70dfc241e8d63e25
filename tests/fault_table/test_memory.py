"""A worker that has answered many calls holds hardly more memory than one that has answered a part of them."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from tests.conftest import Database
from tests.fault_table.load import GOOD, Load, Tally
from tests.fault_table.stage import Stage
from tests.small_endpoint import handshake, tool
from zava import bootstrap

_GROWTH_MIB = 12.0
_AT_ONCE = 8
_WARM_CALLS = 600
_PROCESS_GROWTH_MIB = 2.0
_CALLS: tuple[Callable[[int], Any], ...] = (
    lambda number: tool("execute_sales_query", postgresql_query=f"SELECT count(*) + {number} AS n FROM orders"),
    lambda _number: tool("execute_sales_query", postgresql_query="SELECT nothing FROM orders"),
    lambda _number: tool("execute_sales_query", postgresql_query="SELECT pg_sleep(1)"),
    lambda _number: tool("get_current_utc_date"),
    lambda _number: tool("get_multiple_table_schemas", table_names=["stores"]),
)


@pytest.mark.timeout(300)
async def test_memory_does_not_grow_with_calls(database: Database) -> None:
    """In this process, answers not kept: what is kept on purpose has its own bounds and tests."""
    application = bootstrap.build(database.settings)
    token = {"authorization": f"Bearer {database.cluster.issuer.mint('super_admin')}"}
    numbers = itertools.count()

    async def calls(until: int) -> None:
        while (number := next(numbers)) < until:
            call = handshake("tools/call", _CALLS[number % len(_CALLS)](number))
            reply = await application.endpoint.handle(call.method, call.headers | token, call.body)
            assert (reply.status, b"_UNAVAILABLE" in reply.body) == (200, False)

    held: list[float] = []
    logging.disable(logging.CRITICAL)  # pytest keeps every record until the test ends
    try:
        for until in (2_000, 10_000):
            await asyncio.gather(*(calls(until) for _ in range(_AT_ONCE)))
            gc.collect()
            held.append(psutil.Process().memory_info().rss / 2**20)
    finally:
        logging.disable(logging.NOTSET)
        await application.pools.close()
    assert held[1] - held[0] < _GROWTH_MIB, held


@pytest.mark.timeout(300)
async def test_a_worker_process_under_mixed_load_does_not_grow(stage: Stage) -> None:
    """Of its own, as on Azure: with telemetry, Redis, the embedder, and connections that come and go."""
    worker = await asyncio.to_thread(stage.new_worker)
    load, held = Load(stage.callers, stage.evidence, pause=0), list[float]()
    try:
        async with load.running(worker.url):
            await load.good_answers(since=0, seconds=120)
            load.tally = Tally()
            for until in (_WARM_CALLS, 2 * _WARM_CALLS):
                await load.calls(until, seconds=120)
                held.append(await asyncio.to_thread(worker.memory_held))
    finally:
        worker.stop()
    assert set(load.tally.codes) <= GOOD
    assert load.tally.violations == []
    assert held[1] - held[0] < _PROCESS_GROWTH_MIB, held
