"""A worker that has answered ten thousand calls holds hardly more memory than one that has answered two thousand."""

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
from tests.small_endpoint import handshake, tool
from zava import bootstrap

_GROWTH_MIB = 12.0
_AT_ONCE = 8
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
            assert (await application.endpoint.handle(call.method, call.headers | token, call.body)).status == 200

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
