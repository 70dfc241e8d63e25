"""The fleet never wants more connections than the database admits: by arithmetic, and by a worker under load.

docs/scaling.md carries the same figures further.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from tests.conftest import Database
from tests.e2e.conftest import Server
from tests.infra.deployments import PROFILES, deployment
from tests.infra.rules import app_settings, connection_budget, connections_fit, fleet

_PLATFORMS_LEAST_MAXIMUM = 40
_POOLS = ("POSTGRES_READER_POOL_MAX", "POSTGRES_APP_POOL_MAX", "CALLS_IN_FLIGHT_PER_PRINCIPAL")


@pytest.mark.parametrize(
    ("profile", "workers", "budget"),
    [
        pytest.param("small", 40 + 0 + 1, (123, 128), id="small"),
        pytest.param("production", 100 + 1 + 1, (816, 5_000), id="production"),
    ],
)
def test_the_whole_fleet_fits(profile: str, workers: int, budget: tuple[int, int]) -> None:
    deployed = deployment(profile)
    assert fleet(deployed) == workers
    assert connection_budget(deployed) == budget
    assert list(connections_fit(deployed)) == []


@pytest.mark.parametrize("profile", PROFILES)
def test_the_least_maximum_that_the_platform_has_been_seen_to_accept_fits(profile: str) -> None:
    deployed = deployment(profile)
    scale = deployed.one("Microsoft.Web/sites").properties["functionAppConfig"]["scaleAndConcurrency"]
    assert scale["maximumInstanceCount"] >= _PLATFORMS_LEAST_MAXIMUM
    needed, limit = connection_budget(deployed, _PLATFORMS_LEAST_MAXIMUM + len(scale["alwaysReady"]) + 1)
    assert needed <= limit


@pytest.mark.parametrize("profile", PROFILES)
def test_no_caller_can_hold_every_connection_of_a_worker(profile: str) -> None:
    given = app_settings(deployment(profile))
    assert int(given["CALLS_IN_FLIGHT_PER_PRINCIPAL"]) < int(given["POSTGRES_READER_POOL_MAX"])


async def test_a_worker_of_the_small_profile_serves_all_its_calls_with_three_connections(
    fresh_database: Database,
) -> None:
    """Sixteen calls at once, as many as the platform sends one worker, each of another caller; and a refresh."""
    given = app_settings(deployment("small"))
    server = Server(fresh_database.environment | {name: given[name] for name in _POOLS})
    watcher = await fresh_database.superuser()
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            open_now: int | None = await watcher.fetchval(_CONNECTIONS, fresh_database.name)
            most = max(most, open_now or 0)
            await asyncio.sleep(0.01)

    try:
        async with httpx2.AsyncClient(timeout=30) as http:
            watching = asyncio.ensure_future(watch())
            await http.post(f"{server.base_url}/admin/functions/refresh_embeddings", json={"input": ""})
            mint = fresh_database.cluster.issuer.mint
            tokens = [mint("super_admin", subject=f"caller-{number}") for number in range(16)]
            answers = await asyncio.gather(*(_call(http, server, token) for token in tokens))
            watching.cancel()
    finally:
        await watcher.close()
        server.stop()
    assert answers == [[[True]]] * 16
    assert 1 <= most <= int(given["POSTGRES_READER_POOL_MAX"]) + int(given["POSTGRES_APP_POOL_MAX"]) == 3


_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename IN ('zava_reader', 'zava_app') AND datname = $1"


async def _call(http: httpx2.AsyncClient, server: Server, token: str) -> Any:
    query = "SELECT count(*) > 0 FROM order_items"
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "execute_sales_query", "arguments": {"postgresql_query": query}},
    }
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    answer = await http.post(server.url, json=call, headers=headers)
    return answer.json()["result"]["structuredContent"]["rows"]
