"""Who sees what, over HTTP against the running app, checked against the database's own answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import httpx2
import pytest

from tests.conftest import Database
from tests.e2e.conftest import Server
from zava.data import revoke
from zava.local.stores import STORES
from zava.protocol.tool_gate import TOOL_PERMISSIONS

_HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
_IDS = {store.slug: str(store.store_id) for store in STORES}
_ALL_ZERO = "00000000-0000-0000-0000-000000000000"
_PUGET_SOUND = frozenset(store.slug for store in STORES if store.region == "puget-sound")
_EVERYTHING = frozenset(_IDS)


async def rpc(
    url: str, token: str, method: str = "tools/list", params: dict[str, Any] | None = None, **headers: str
) -> httpx2.Response:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
    named = _HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        named["Authorization"] = f"Bearer {token}"
    async with httpx2.AsyncClient(timeout=30) as http:
        return await http.post(url, json=body, headers=named)


async def call(url: str, token: str, tool: str, /, store: str | None = None, **arguments: object) -> httpx2.Response:
    headers = {} if store is None else {"x_rls_user_id": store}
    return await rpc(url, token, "tools/call", {"name": tool, "arguments": arguments}, **headers)


def structured(response: httpx2.Response) -> dict[str, Any]:
    return response.json()["result"]["structuredContent"]


# Role, stores, regions, header; then the stores whose rows come back, or the status of a refusal.
_MATRIX: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], str | None, frozenset[str] | int]] = {
    "head office": ("super_admin", (), (), None, _EVERYTHING),
    "head office, all-zero header": ("super_admin", (), (), _ALL_ZERO, _EVERYTHING),
    "head office, one store": ("super_admin", (), (), "spokane", frozenset({"spokane"})),
    "a region": ("regional_manager", (), ("puget-sound",), None, _PUGET_SOUND),
    "a region, all-zero header": ("regional_manager", (), ("puget-sound",), _ALL_ZERO, _PUGET_SOUND),
    "a region, one of its stores": ("regional_manager", (), ("puget-sound",), "tacoma", frozenset({"tacoma"})),
    "a region, a foreign store": ("regional_manager", (), ("puget-sound",), "spokane", 403),
    "two regions": (
        "regional_manager",
        (),
        ("online", "eastern-washington"),
        None,
        frozenset({"online", "spokane"}),
    ),
    "a store": ("store_manager", ("seattle",), (), None, frozenset({"seattle"})),
    "a store, all-zero header": ("store_manager", ("seattle",), (), _ALL_ZERO, frozenset({"seattle"})),
    "a store names itself": ("store_manager", ("seattle",), (), "seattle", frozenset({"seattle"})),
    "a store names another": ("store_manager", ("seattle",), (), "bellevue", 403),
    "a store and a malformed header": ("store_manager", ("seattle",), (), "no-uuid", 400),
    "two stores": ("store_manager", ("kirkland", "online"), (), None, frozenset({"kirkland", "online"})),
    "two stores narrow to one": ("store_manager", ("kirkland", "online"), (), "online", frozenset({"online"})),
}
# One statement a tenant table: its rows by store, as the tool answers and as the database knows.
_COUNTS = {
    table: f"SELECT store_id::text, count(*) FROM retail.{table} GROUP BY 1 ORDER BY 1"
    for table in ("stores", "customers", "inventory", "orders", "order_items")
}


@pytest.fixture(scope="session")
async def truth(oracle: asyncpg.Connection) -> dict[str, list[list[Any]]]:
    """For each tenant table the rows of each store, read by a login that row security does not bind."""
    return {table: [list(row) for row in await oracle.fetch(sql)] for table, sql in _COUNTS.items()}


@pytest.mark.parametrize(("role", "stores", "regions", "header", "expected"), _MATRIX.values(), ids=_MATRIX)
async def test_every_tool_answers_with_the_stores_of_role_and_header_and_no_other(
    role: str,
    stores: tuple[str, ...],
    regions: tuple[str, ...],
    header: str | None,
    expected: frozenset[str] | int,
    server_url: str,
    token_for: Callable[..., str],
    truth: dict[str, list[list[Any]]],
) -> None:
    token = token_for(role, stores=stores, regions=regions)
    named = _IDS.get(header or "", header)
    answers = {
        table: await call(server_url, token, "execute_sales_query", named, postgresql_query=sql)
        for table, sql in _COUNTS.items()
    }
    schemas = await call(server_url, token, "get_multiple_table_schemas", named, table_names=["stores"])
    date = await call(server_url, token, "get_current_utc_date", named)
    if isinstance(expected, int):
        assert {answer.status_code for answer in (*answers.values(), schemas, date)} == {expected}
        return
    visible = {_IDS[slug] for slug in expected}
    for table, answer in answers.items():
        assert structured(answer)["rows"] == [row for row in truth[table] if row[0] in visible], table
    (table,) = structured(schemas)["tables"]
    names = next(column["valid_values"] for column in table["columns"] if column["name"] == "store_name")
    assert names == sorted(store.name for store in STORES if store.slug in expected)
    assert set(structured(date)) == {"utc_now"}


@pytest.mark.parametrize(
    ("permissions", "shown"),
    [
        pytest.param(None, {"execute_sales_query", "get_multiple_table_schemas", "get_current_utc_date"}, id="none"),
        pytest.param(
            ["sales.read"], {"execute_sales_query", "get_multiple_table_schemas", "get_current_utc_date"}, id="sales"
        ),
        pytest.param(["products.read"], {"get_current_utc_date"}, id="products"),
    ],
)
async def test_a_tool_whose_permission_is_missing_is_neither_listed_nor_called(
    permissions: list[str] | None, shown: set[str], server_url: str, database: Database
) -> None:
    token = database.cluster.issuer.mint("super_admin", permissions=permissions)
    everything = database.cluster.issuer.mint("super_admin")
    listed = (await rpc(server_url, token)).json()["result"]["tools"]
    registered = {tool["name"] for tool in (await rpc(server_url, everything)).json()["result"]["tools"]}
    assert {tool["name"] for tool in listed} & _OURS == shown
    for tool in registered - {tool["name"] for tool in listed}:
        answer = await call(server_url, token, tool)
        challenge = answer.headers["www-authenticate"]
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "INSUFFICIENT_SCOPE")
        assert challenge.startswith('Bearer error="insufficient_scope", error_description="The tool ')
        assert 'scope="products.read sales.read"' in challenge
        assert "resource_metadata=" in challenge


_OURS = {"execute_sales_query", "get_multiple_table_schemas", "get_current_utc_date"}


async def test_every_tool_stands_in_the_table_of_permissions_and_lists_are_cached_by_nobody_else(
    server_url: str, token_for: Callable[..., str], database: Database
) -> None:
    from zava import bootstrap

    application = bootstrap.build(database.settings)
    tools = application.endpoint._server.get_tool_input_schema
    assert tools is not None
    params = {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    }
    modern = {"MCP_Protocol_Version": "2026-07-28", "Mcp_Method": "tools/list"}
    result = (await rpc(server_url, token_for("super_admin"), params=params, **modern)).json()["result"]
    assert result["cacheScope"] == "private"
    assert all(tools(tool["name"]) is not None for tool in result["tools"])
    assert {tool["name"] for tool in result["tools"]} == {name for name in TOOL_PERMISSIONS if tools(name) is not None}


async def test_an_unknown_tool_is_unknown_to_everybody(server_url: str, token_for: Callable[..., str]) -> None:
    answer = (await call(server_url, token_for("super_admin"), "no_such_tool")).json()
    assert answer["error"]["message"] == "There is no such tool"


async def test_a_token_in_the_query_string_is_no_token(server_url: str, token_for: Callable[..., str]) -> None:
    token = token_for("super_admin")
    for name in ("access_token", "token", "authorization", "code"):
        answer = await rpc(f"{server_url}?{name}={token}", "")
        assert answer.status_code == 401, name
        assert "error=" not in answer.headers["www-authenticate"]


async def test_headers_of_app_service_authentication_are_nobody(server_url: str) -> None:
    answer = await rpc(server_url, "", x_ms_client_principal="eyJ9", x_ms_client_principal_id="ada")
    assert answer.status_code == 401


@pytest.fixture(scope="module")
def two_hosts(module_database: Database) -> Iterator[tuple[Database, list[Server]]]:
    own = {"RATE_LIMIT_PER_MINUTE": "1", "RATE_LIMIT_BURST": "10", "MCP_ALLOWED_ORIGINS": "https://shop.example"}
    hosts = [Server(module_database.environment | own) for _ in range(2)]
    yield module_database, hosts
    for host in hosts:
        host.stop()


async def test_two_processes_share_one_limit_and_exactly_the_limit_passes(
    two_hosts: tuple[Database, list[Server]],
) -> None:
    database, hosts = two_hosts
    mint = database.cluster.issuer.mint
    for host in hosts:
        for _ in range(2):  # both are warm: keys, pool, snapshot
            assert (await rpc(host.url, mint("super_admin", subject="warm-up"))).status_code == 200
    token = mint("super_admin", subject="ada")
    answers = await asyncio.gather(*(rpc(hosts[number % 2].url, token) for number in range(40)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(200), statuses.count(429)) == (10, 30)
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "RATE_LIMITED"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert (await rpc(hosts[0].url, mint("super_admin", subject="eve"))).status_code == 200


async def test_a_revoked_subject_is_refused_by_both_processes_within_ten_seconds(
    two_hosts: tuple[Database, list[Server]],
) -> None:
    database, hosts = two_hosts
    token = database.cluster.issuer.mint("super_admin", subject="mallory")
    assert [(await rpc(host.url, token)).status_code for host in hosts] == [200, 200]
    await revoke.revoke_subject(database.administrator, "zava-auth", "mallory")
    async with asyncio.timeout(10):
        for host in hosts:
            while (answer := await rpc(host.url, token)).status_code != 401:
                await asyncio.sleep(1)
            assert (
                'error="invalid_token", error_description="The token was revoked"' in answer.headers["www-authenticate"]
            )


async def test_the_security_headers_are_on_every_answer_of_every_trigger(server: Server) -> None:
    async with httpx2.AsyncClient() as http:
        answers = [
            await http.request(method, server.base_url + path)
            for method, path in (
                ("POST", "/mcp"),
                ("GET", "/mcp"),
                ("OPTIONS", "/mcp"),
                ("GET", "/health"),
                ("GET", "/health/live"),
                ("GET", "/health/ready"),
                ("GET", "/.well-known/oauth-protected-resource/mcp"),
                ("GET", "/.well-known/oauth-protected-resource/other"),
            )
        ]
    for answer in answers:
        headers = answer.headers
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert (headers["x-frame-options"], headers["referrer-policy"]) == ("DENY", "no-referrer")
        assert not {"server", "x-powered-by", "strict-transport-security"} & set(headers)


async def test_a_listed_origin_may_call_from_a_browser_and_no_other(
    two_hosts: tuple[Database, list[Server]],
) -> None:
    origin = "https://shop.example"
    _, (host, _) = two_hosts
    async with httpx2.AsyncClient() as http:
        preflight = await http.options(host.url, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
        refused = await http.options(host.url, headers={"Origin": "https://evil.example"})
    answer = await rpc(host.url, "", Origin=origin)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, origin)
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (403, False)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, origin)
    assert "www-authenticate" in answer.headers["access-control-expose-headers"]
