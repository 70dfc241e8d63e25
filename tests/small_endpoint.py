"""The real MCP endpoint in front of a few small tools, and the requests that tests send it; no sockets, no database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from pydantic import Field

from tests.sample_directory import ids
from zava.data.tenant_context import TenantScope
from zava.platform.identity import Principal
from zava.protocol.endpoint import McpEndpoint, kernel_server
from zava.protocol.http import HttpReply
from zava.protocol.request import Caller, request_of

HANDSHAKE = "2025-11-25"
MODERN = "2026-07-28"
ORIGIN = "https://shop.example:8443"
MAX_BODY = 64 * 1024

CALLER = Caller(
    Principal("issuer", "ada", frozenset({"super_admin"}), frozenset(), None, None, "1", 0, 1),
    TenantScope(ids(), "a" * 64),
)

Admit = Callable[[Mapping[str, str]], Awaitable[Caller]]


async def admit_everybody(_headers: Mapping[str, str]) -> Caller:
    return CALLER


def small_server() -> MCPServer:
    server = MCPServer("small", version="1.0", subscriptions=False, log_level="CRITICAL")

    async def add(a: int, b: int) -> int:
        return a + b

    async def echo(value: Any) -> str:
        return repr(value)

    async def who(context: Context) -> dict[str, Any]:
        """What a tool learns of its call."""
        request = request_of(context)
        return {
            "subject": request.caller.principal.subject,
            "deadline": request.deadline,
            "correlation_id": request.correlation_id,
            "shop": request.headers.get("x-shop"),
        }

    async def report(context: Context) -> str:
        for step in (1, 2):
            await context.report_progress(step, 2, f"step {step}")
        return "done"

    async def wait() -> str:
        await asyncio.Event().wait()
        return "never"

    async def fail() -> str:
        raise RuntimeError("secret detail")

    async def region(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
        return region

    for tool in (add, echo, who, report, wait, fail, region):
        server.add_tool(tool, structured_output=False)
    return server


def small_endpoint(
    admit: Admit = admit_everybody, *, request_timeout: float = 20, server: MCPServer | None = None
) -> McpEndpoint:
    return McpEndpoint(
        kernel_server(server or small_server()),
        admit,
        allowed_origins=frozenset({ORIGIN}),
        request_timeout=request_timeout,
        max_body_bytes=MAX_BODY,
    )


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    headers: dict[str, str]
    body: bytes

    def but(self, *, method: str | None = None, body: bytes | None = None, **headers: str | None) -> HttpRequest:
        """The same with some parts changed; a header (`_` for `-`) that is None is left out."""
        named = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in named.items() if value is not None}
        return replace(self, method=method or self.method, headers=kept, body=self.body if body is None else body)


def post(message: object, **headers: str) -> HttpRequest:
    """A POST of a JSON-RPC message, or of bytes as they are."""
    common = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return HttpRequest("POST", common | headers, body)


def handshake(method: str, params: dict[str, Any] | None = None, *, version: str = HANDSHAKE) -> HttpRequest:
    """A request of the handshake era."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method} | ({} if params is None else {"params": params})
    return post(message, **{"mcp-protocol-version": version})


def modern(method: str, params: dict[str, Any] | None = None, *, version: str = MODERN) -> HttpRequest:
    """A request of the 2026-07-28 era, with its envelope and the headers that repeat it."""
    params = dict(params or {})
    headers = {"mcp-protocol-version": version, "mcp-method": method}
    if (name := params.get("name", params.get("uri"))) is not None:
        headers["mcp-name"] = name
    params["_meta"] = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    } | params.get("_meta", {})
    return post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, **headers)


in_both_eras = pytest.mark.parametrize("era", [pytest.param(handshake, id=HANDSHAKE), pytest.param(modern, id=MODERN)])
"""Runs a test once with each of the two ways to make a request, as its argument `era`."""


def tool(name: str, /, **arguments: object) -> dict[str, Any]:
    """Parameters of `tools/call`."""
    return {"name": name, "arguments": arguments}


async def send(endpoint: McpEndpoint, request: HttpRequest) -> HttpReply:
    """The reply, after checking what every reply must keep."""
    reply = await asyncio.wait_for(endpoint.handle(request.method, request.headers, request.body), 10)
    correlation_id = reply.headers["x-correlation-id"]
    assert len(correlation_id) == 32
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "mcp-session-id" not in reply.headers
    assert ("content-type" in reply.headers) == bool(reply.body)
    assert b"Traceback" not in reply.body
    assert b"secret" not in reply.body
    return reply


def document(reply: HttpReply) -> Any:
    assert reply.headers["content-type"] == "application/json"
    return json.loads(reply.body)
