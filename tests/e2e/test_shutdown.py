"""The end of a worker by SIGTERM, as Azure sends it: the app's own handler in a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.azure_standins.collector import Collector
from tests.conftest import Database
from tests.e2e.worker_process import WorkerProcess

_SLOW_SQL = "SELECT count(*) FROM generate_series(1, 3000) AS a, generate_series(1, 4000) AS b WHERE a + b > 1"
_ENGINES = ["direct", "runtime"] if sys.version_info >= (3, 13) else ["direct"]


@pytest.mark.parametrize("engine", _ENGINES)
async def test_calls_in_flight_are_answered_new_ones_are_told_to_try_again_and_the_process_ends(
    engine: str, fresh_database: Database, collector: Collector, token_for: Callable[..., str], tmp_path: Path
) -> None:
    token = token_for("super_admin")
    environment = fresh_database.environment | {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": collector.connection_string,
        "QUERY_TIMEOUT_SECONDS": "25",
    }
    with WorkerProcess(environment, tmp_path, engine) as worker:
        async with httpx2.AsyncClient(timeout=30) as http:

            async def query(sql: str) -> httpx2.Response:
                return await worker.call(http, token, "execute_sales_query", postgresql_query=sql)

            assert (await query("SELECT 1 AS one")).status_code == 200
            slow = asyncio.ensure_future(query(_SLOW_SQL))
            superuser = await fresh_database.superuser()
            while not await superuser.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE usename = 'zava_reader' AND state = 'active'"
            ):
                await asyncio.sleep(0.01)
            await superuser.close()
            asked = time.perf_counter()
            worker.process.send_signal(signal.SIGTERM)
            refused = await query("SELECT 1 AS one")
            while refused.status_code == 200:  # the signal was not delivered yet
                refused = await query("SELECT 1 AS one")
            answered = await slow
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert int(refused.headers["retry-after"]) > 0
        assert answered.status_code == 200
        assert json.loads(answered.text)["result"]["structuredContent"]["row_count"] == 1
        assert await asyncio.to_thread(worker.process.wait, 20) == 0
        assert time.perf_counter() - asked < 20
    # What happened until the end was delivered with it.
    (stopping,) = collector.of("EventData")
    assert stopping["properties"] == {"in_flight": stopping["properties"]["in_flight"], "drained": "true"}
    assert int(stopping["properties"]["in_flight"]) >= 1
    requests = {data["name"] for data in collector.of("RequestData")}
    assert requests == {"tools/call execute_sales_query"}
    counted = {data["metrics"][0]["name"] for data in collector.of("MetricData")}
    assert {"query_total", "query_duration", "operation_success"} <= counted
