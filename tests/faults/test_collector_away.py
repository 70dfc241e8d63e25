"""Application Insights is away or hangs: no call notices, nothing piles up, and what happened is told later."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import httpx2

from tests.azure_standins.collector import Collector
from tests.conftest import Database
from tests.e2e.worker_process import WorkerProcess

_CALLS = 60


async def test_calls_go_on_and_what_they_left_arrives_with_the_next_process(
    database: Database, collector: Collector, tmp_path: Path
) -> None:
    environment = database.environment | {"APPLICATIONINSIGHTS_CONNECTION_STRING": collector.connection_string}
    token = database.cluster.issuer.mint("store_manager", stores=["seattle"])
    collector.status = 0
    async with httpx2.AsyncClient(timeout=30) as http:
        with WorkerProcess(environment, tmp_path) as worker:
            await worker.call(http, token, "get_current_utc_date")  # a cold worker's first
            slowest = 0.0
            for number in range(_CALLS - 1):
                collector.hang = number > _CALLS // 2
                began = time.perf_counter()
                answer = await worker.call(http, token, "get_current_utc_date")
                slowest = max(slowest, time.perf_counter() - began)
                assert answer.status_code == 200
            asked = time.perf_counter()
            worker.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(worker.process.wait, 20) == 0
            ended = time.perf_counter() - asked
        assert slowest < 1.5
        assert ended < 10
        assert collector.of("RequestData") == []
        collector.status, collector.hang = 200, False
        with WorkerProcess(environment, tmp_path) as worker:
            await worker.call(http, token, "get_current_utc_date")
            await asyncio.to_thread(
                collector.wait_until,
                lambda: len({data["id"] for data in collector.of("RequestData")}) >= _CALLS + 1,
                45,
            )
    kept = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert kept < 1024 * 1024
