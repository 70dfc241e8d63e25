"""Raw HTTP against the running app: each status of the specification, who is let in, and cold starts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.conftest import Database
from tests.e2e.conftest import Server

_LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
_ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


async def _post(server: Server, body: Any = _LIST, token: str = "", **headers: str) -> httpx2.Response:
    named = _ACCEPT | {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        named["Authorization"] = f"Bearer {token}"
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with httpx2.AsyncClient(timeout=30) as http:
        return await http.post(server.url, content=content, headers=named)


_STATUSES: dict[str, tuple[Any, dict[str, str], int]] = {
    "a list without initialize": (_LIST, {}, 200),
    "a notification": ({"jsonrpc": "2.0", "method": "notifications/initialized"}, {}, 202),
    "a batch": ([_LIST], {}, 400),
    "no JSON": (b"{", {}, 400),
    "an unknown modern method": (
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "no/such",
            "params": {
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                }
            },
        },
        {"MCP_Protocol_Version": "2026-07-28", "Mcp_Method": "no/such"},
        404,
    ),
    "a foreign origin": (_LIST, {"Origin": "https://evil.example"}, 403),
    "another content type": (_LIST, {"Content_Type": "text/plain"}, 415),
    "an accept without JSON": (_LIST, {"Accept": "text/html"}, 406),
    "a body beyond 256 KiB": (b" " * (256 * 1024 + 1), {}, 413),
}


@pytest.mark.parametrize(("body", "headers", "status"), _STATUSES.values(), ids=_STATUSES)
async def test_a_request_gets_the_status_the_specification_names(
    body: Any, headers: dict[str, str], status: int, server: Server, token_for: Callable[..., str]
) -> None:
    response = await _post(server, body, token_for("super_admin"), **headers)
    assert response.status_code == status, response.text
    assert "mcp-session-id" not in response.headers
    assert "server" not in response.headers


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_there_is_no_stream_and_no_session_to_delete(method: str, server: Server) -> None:
    async with httpx2.AsyncClient() as http:
        response = await http.request(method, server.url, headers={"Accept": "text/event-stream"})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_without_a_token_there_is_no_data_and_one_challenge(server: Server) -> None:
    response = await _post(server)
    assert response.status_code == 401
    metadata = f"{server.base_url}/.well-known/oauth-protected-resource/mcp"
    assert response.headers.get_list("www-authenticate") == [
        f'Bearer scope="products.read sales.read", resource_metadata="{metadata}"'
    ]
    assert response.json()["error"]["code"] == "AUTHENTICATION_ERROR"


@pytest.mark.parametrize("path", ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"])
async def test_the_protected_resource_metadata_is_served_at_both_paths(path: str, server: Server) -> None:
    async with httpx2.AsyncClient() as http:
        response = await http.get(server.base_url + path)
    assert response.status_code == 200
    assert response.json() == {
        "resource": server.url,
        "scopes_supported": ["products.read", "sales.read"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Zava retail sales",
    }


async def test_other_well_known_paths_are_not_found(server: Server) -> None:
    async with httpx2.AsyncClient() as http:
        response = await http.get(f"{server.base_url}/.well-known/oauth-protected-resource/other")
    assert response.status_code == 404


async def test_a_foreign_store_in_the_header_is_forbidden_and_a_malformed_one_is_bad(
    server: Server, token_for: Callable[..., str]
) -> None:
    token = token_for("store_manager", stores=["seattle"])
    foreign = await _post(server, token=token, x_rls_user_id="6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    malformed = await _post(server, token=token, x_rls_user_id="seattle")
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in (foreign, malformed)] == [
        (403, "AUTHORIZATION_ERROR"),
        (400, "VALIDATION_ERROR"),
    ]


async def test_health_answers_anybody(server: Server) -> None:
    async with httpx2.AsyncClient() as http:
        live = await http.get(f"{server.base_url}/health/live")
        ready = await http.get(f"{server.base_url}/health/ready")
    assert (live.status_code, live.json()) == (200, {"status": "live"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "database": "ok", "isolation": "proved"})


async def test_twenty_first_requests_to_a_cold_process_all_succeed_and_open_one_pool(
    fresh_database: Database, token_for: Callable[..., str]
) -> None:
    """Each asks for data, so each needs the keys, the stores, the proof and a connection: all of them first here."""
    cold = Server(fresh_database.environment)
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "execute_sales_query", "arguments": {"postgresql_query": "SELECT count(*) > 0 FROM orders"}},
    }
    tokens = [token_for("super_admin", subject=f"caller-{number}") for number in range(20)]
    superuser = await fresh_database.superuser()
    try:
        answers = await asyncio.gather(*(_post(cold, call, token) for token in tokens))
        results = [answer.json()["result"]["structuredContent"]["rows"] for answer in answers]
        connections = await superuser.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'zava_reader' AND datname = $1", fresh_database.name
        )
    finally:
        cold.stop()
        await superuser.close()
    assert results == [[[True]]] * 20
    assert connections is not None
    assert 1 <= connections <= fresh_database.settings.postgres_reader_pool_max


async def test_the_timer_function_runs_through_the_admin_address(server: Server) -> None:
    async with httpx2.AsyncClient() as http:
        started = await http.post(f"{server.base_url}/admin/functions/refresh_embeddings", json={"input": ""})
        unknown = await http.post(f"{server.base_url}/admin/functions/nosuch", json={"input": ""})
    assert (started.status_code, unknown.status_code) == (202, 404)
