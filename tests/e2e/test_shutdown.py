"""The end of a worker by SIGTERM, as Azure sends it: the app's own handler in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.azure_standins.collector import Collector
from tests.conftest import Database

PROJECT = Path(__file__).resolve().parents[2]
_SLOW_SQL = "SELECT count(*) FROM generate_series(1, 3000) AS a, generate_series(1, 12000) AS b WHERE a + b > 1"

# As under the language worker: the loop is asyncio's own, and no signal handler is in it but the app's.
_SERVE = """
import asyncio, contextlib, pathlib, socket, sys
import uvicorn
from zava.local import dev_host

class Plain(uvicorn.Server):
    def capture_signals(self):
        return contextlib.nullcontext()

async def serve():
    app = dev_host.build(pathlib.Path(sys.argv[1]), timers=False, engine=sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0))
    async with app.router.lifespan_context(app):
        print(listener.getsockname()[1], flush=True)
        await Plain(uvicorn.Config(app, lifespan="off", log_config=None)).serve(sockets=[listener])

asyncio.run(serve())
"""
_ENGINES = ["direct", "runtime"] if sys.version_info >= (3, 13) else ["direct"]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.mark.parametrize("engine", _ENGINES)
async def test_calls_in_flight_are_answered_new_ones_are_told_to_try_again_and_the_process_ends(
    engine: str, fresh_database: Database, collector: Collector, token_for: Callable[..., str], tmp_path: Path
) -> None:
    environment = fresh_database.environment | {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": collector.connection_string,
        "TMPDIR": str(tmp_path),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(PROJECT), engine],
        cwd=PROJECT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        base_url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        headers = {
            "Authorization": f"Bearer {token_for('super_admin')}",
            "Accept": "application/json, text/event-stream",
        }

        async with httpx2.AsyncClient(timeout=30) as http:

            async def query(sql: str) -> httpx2.Response:
                params = {"name": "execute_sales_query", "arguments": {"postgresql_query": sql}}
                message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
                return await http.post(f"{base_url}/mcp", headers=headers, json=message)

            assert (await query("SELECT 1 AS one")).status_code == 200
            slow = asyncio.ensure_future(query(_SLOW_SQL))
            superuser = await fresh_database.superuser()
            while not await superuser.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE usename = 'zava_reader' AND state = 'active'"
            ):
                await asyncio.sleep(0.01)
            await superuser.close()
            asked = time.perf_counter()
            process.send_signal(signal.SIGTERM)
            refused = await query("SELECT 1 AS one")
            while refused.status_code == 200:  # the signal was not delivered yet
                refused = await query("SELECT 1 AS one")
            answered = await slow
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert int(refused.headers["retry-after"]) > 0
        assert answered.status_code == 200
        assert json.loads(answered.text)["result"]["structuredContent"]["row_count"] == 1
        assert await asyncio.to_thread(process.wait, 20) == 0
        assert time.perf_counter() - asked < 20
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    # What happened until the end was delivered with it.
    (stopping,) = collector.of("EventData")
    assert stopping["properties"] == {"in_flight": stopping["properties"]["in_flight"], "drained": "true"}
    assert int(stopping["properties"]["in_flight"]) >= 1
    requests = {data["name"] for data in collector.of("RequestData")}
    assert requests == {"tools/call execute_sales_query"}
    counted = {data["metrics"][0]["name"] for data in collector.of("MetricData")}
    assert {"query_total", "query_duration", "operation_success"} <= counted
