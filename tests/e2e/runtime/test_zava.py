"""Zava's own function app on Microsoft's runtime: indexed, an MCP round trip, and a timer call."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import Database
from tests.e2e.hosts.answers import client_of_app
from zava.local import dev_host
from zava.platform import settings

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def client(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx2.AsyncClient]:
    for name, value in fresh_database.environment.items():
        monkeypatch.setenv(name, value)
    settings.load.cache_clear()
    async with client_of_app(dev_host.build(PROJECT, engine="runtime", timers=False)) as client:
        yield client
    settings.load.cache_clear()


async def _call(client: httpx2.AsyncClient, token: str, method: str, **params: object) -> Any:
    response = await client.post(
        "/mcp",
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"},
        json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
    )
    assert response.status_code == 200, response.text
    return response.json()["result"]


async def test_a_client_initializes_lists_the_tools_and_calls_one(
    client: httpx2.AsyncClient, fresh_database: Database
) -> None:
    token = fresh_database.cluster.issuer.mint("store_manager", stores=["seattle"])
    about = {"name": "test", "version": "1"}
    begun = await _call(client, token, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=about)
    assert (begun["protocolVersion"], "tools" in begun["capabilities"]) == ("2025-11-25", True)
    listed = await _call(client, token, "tools/list")
    assert {"execute_sales_query", "get_current_utc_date"} <= {tool["name"] for tool in listed["tools"]}
    sql = "SELECT store_name FROM retail.stores"
    answer = await _call(client, token, "tools/call", name="execute_sales_query", arguments={"postgresql_query": sql})
    assert answer["structuredContent"]["rows"] == [["Zava Retail Seattle"]], json.dumps(answer)


async def test_the_page_at_the_root_crosses_the_runtime(client: httpx2.AsyncClient) -> None:
    response = await client.get("/")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert response.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert response.text.startswith("<!doctype html>")


async def test_without_a_token_the_challenge_crosses_the_runtime(client: httpx2.AsyncClient) -> None:
    response = await client.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer ")


async def test_the_timer_embeds_what_has_no_embedding(client: httpx2.AsyncClient, fresh_database: Database) -> None:
    connection = await fresh_database.superuser()
    count = "SELECT count(*) FROM retail.product_description_embeddings"
    try:
        before = await connection.fetchval(count)
        await connection.execute(
            "DELETE FROM retail.product_description_embeddings WHERE product_id IN "
            "(SELECT product_id FROM retail.product_description_embeddings LIMIT 3)"
        )
        with _logged("refresh_embeddings ran") as ran:
            assert (await client.post("/admin/functions/refresh_embeddings", json={"input": ""})).status_code == 202
            async with asyncio.timeout(30):
                await ran.wait()
        assert await connection.fetchval(count) == before
    finally:
        await connection.close()


class _logged(logging.Handler):  # noqa: N801  (read as a sentence)
    """An event that is set once the development host logs a message that begins so."""

    def __init__(self, beginning: str) -> None:
        super().__init__(logging.INFO)
        self._beginning = beginning
        self._event = asyncio.Event()
        self._logger = logging.getLogger("zava.local.functions_host")
        self._level = self._logger.level

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(self._beginning):
            self._event.set()

    def __enter__(self) -> asyncio.Event:
        self._logger.addHandler(self)
        self._logger.setLevel(logging.INFO)
        return self._event

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)
