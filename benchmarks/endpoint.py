"""Calls per second of a trivial tool through the HTTP trigger, against `AsgiFunctionApp` around the SDK's own app.

Both sides serve the same MCP server in the same process, from a `func.HttpRequest` to a `func.HttpResponse`, one call
after the other. Rounds alternate, medians decide. Our side
checks a bearer token at every call, once by comparing it and once with Zava's own verification and access rules; the
other side lets everybody in.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import azure.functions as func
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from benchmarks.contract import Options, Row
from zava.data.store_directory import Store
from zava.data.tenant_context import TenantScope
from zava.errors import AuthenticationError
from zava.local.token_issuer import LocalIssuer
from zava.platform.identity import Principal
from zava.platform.jwks import JwksCache
from zava.platform.token_verifier import JwtVerifier, TrustedIssuer
from zava.protocol.authentication import Authentication
from zava.protocol.endpoint import McpEndpoint, kernel_server
from zava.protocol.request import Caller
from zava.services.access import AccessRules

Handler = Callable[[func.HttpRequest], Coroutine[Any, Any, func.HttpResponse]]

HANDSHAKE, MODERN = "2025-11-25", "2026-07-28"
TARGETS = {HANDSHAKE: 4.0, MODERN: 1.4}
SDK, OURS, VERIFYING = "SDK app", "endpoint", "with RS256"
TOOL = "get_current_utc_date"


def trivial_server() -> MCPServer:
    """Its one tool returns a line of text, so that what is measured is the way to a tool and back."""
    server = MCPServer("benchmark", version="1", subscriptions=False, log_level="ERROR")

    @server.tool(structured_output=False)
    async def get_current_utc_date() -> str:  # pyright: ignore[reportUnusedFunction]
        """The current UTC date."""
        return datetime.now(UTC).isoformat()

    return server


@contextlib.asynccontextmanager
async def sdk_handler() -> AsyncGenerator[Handler]:
    """The function that `AsgiFunctionApp` registers. Its first call must come alone: the start-up has a race."""
    asgi = trivial_server().streamable_http_app(
        stateless_http=True,
        json_response=True,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    app = func.AsgiFunctionApp(app=asgi, http_auth_level=func.AuthLevel.ANONYMOUS)
    (function,) = app.get_functions()
    registered: Any = function.get_user_function()
    context = SimpleNamespace(
        invocation_id="1",
        function_name="http_app_func",
        function_directory=".",
        thread_local_storage=None,
        trace_context=None,
        retry_context=None,
    )
    yield lambda request: registered(request, context)
    await app.middleware.notify_shutdown()
    app.startup_task_done = False  # else its finalizer shuts down again, on another loop


def our_handler(admit: Callable[[Mapping[str, str]], Coroutine[Any, Any, Caller]]) -> Handler:
    """What `function_app.py` does with a request."""
    endpoint = McpEndpoint(kernel_server(trivial_server()), admit, allowed_origins=frozenset[str](), request_timeout=25)

    async def handler(request: func.HttpRequest) -> func.HttpResponse:
        answer = await endpoint.handle(request.method, request.headers, request.get_body())
        return func.HttpResponse(
            answer.body,
            status_code=answer.status,
            headers=answer.headers,
            mimetype=answer.headers.get("content-type"),
        )

    return handler


class OneStore:
    """The store directory of the benchmark."""

    def __init__(self) -> None:
        store_id = uuid4()
        self._stores = {store_id: Store(store_id, "Seattle", "puget-sound")}

    async def stores(self) -> Mapping[UUID, Store]:
        return self._stores


def our_handlers(issuer: LocalIssuer, token: str) -> dict[str, Handler]:
    principal = Principal("zava-auth", "benchmark", frozenset({"super_admin"}), frozenset(), None, None, "1", 0, 0)
    caller = Caller(principal, TenantScope(frozenset({uuid4()}), "0" * 64))
    expected = f"Bearer {token}"

    async def comparing(headers: Mapping[str, str]) -> Caller:
        if not hmac.compare_digest(headers.get("authorization", ""), expected):
            raise AuthenticationError("unknown token", token_sent=True)
        return caller

    verifier = JwtVerifier(TrustedIssuer("zava-auth", "mcp-server", issuer.jwks_uri), JwksCache(issuer.jwks_uri))
    verifying = Authentication(verifier, AccessRules(OneStore()))
    return {OURS: our_handler(comparing), VERIFYING: our_handler(verifying.admit)}


def tool_calls(era: str, token: str) -> Callable[[], func.HttpRequest]:
    """Makes requests as the worker does, from headers and a body that are there already."""
    params: dict[str, Any] = {"name": TOOL, "arguments": {}}
    headers = {
        "Host": "127.0.0.1:7071",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Authorization": f"Bearer {token}",
        "User-Agent": "benchmark",
        "MCP-Protocol-Version": era,
    }
    if era == MODERN:
        headers |= {"Mcp-Method": "tools/call", "Mcp-Name": TOOL}
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": era,
            "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    return lambda: func.HttpRequest(
        method="POST", url="http://127.0.0.1:7071/mcp", headers=headers, params={}, route_params={}, body=body
    )


async def check(handler: Handler, request: func.HttpRequest) -> None:
    response = await handler(request)
    answer = json.loads(response.get_body())
    if response.status_code != 200 or answer["result"]["isError"]:
        raise SystemExit(f"not a good answer: {response.status_code} {answer}")


async def calls_per_second(handler: Handler, make_request: Callable[[], func.HttpRequest], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        await handler(make_request())
        await asyncio.sleep(0)  # the loop's turn: it clears away what timers left
    return calls / (time.perf_counter() - start)


@dataclass(frozen=True, slots=True)
class Result:
    """Medians over the rounds; `ratio` is to the SDK's rate in the same round, so that a slow spell hits both."""

    calls_per_second: float
    ratio: float


async def measure(rounds: int, calls: int) -> dict[str, dict[str, Result]]:
    """Results by era and side."""
    with tempfile.TemporaryDirectory() as folder:
        issuer = LocalIssuer(Path(folder))
        token = issuer.mint("super_admin")
        async with sdk_handler() as sdk:
            sides = {SDK: sdk} | our_handlers(issuer, token)
            return {era: await compare(sides, era, tool_calls(era, token), rounds, calls) for era in TARGETS}


async def compare(
    sides: dict[str, Handler], era: str, make_request: Callable[[], func.HttpRequest], rounds: int, calls: int
) -> dict[str, Result]:
    rates: dict[str, list[float]] = {side: [] for side in sides}
    for handler in sides.values():
        await check(handler, make_request())
        await calls_per_second(handler, make_request, 50)
    for number in range(rounds):
        sys.stderr.write(f"\r{era}: round {number + 1} of {rounds} ")
        for side, handler in sides.items():
            rates[side].append(await calls_per_second(handler, make_request, calls))
    sys.stderr.write("\n")
    return {
        side: Result(median(own), median(rate / sdk for rate, sdk in zip(own, rates[SDK], strict=True)))
        for side, own in rates.items()
    }


def rows(options: Options) -> list[Row]:
    results = asyncio.run(measure(rounds=3, calls=100) if options.quick else measure(rounds=15, calls=600))
    return [_row(era, by_side) for era, by_side in results.items()]


def _row(era: str, by_side: dict[str, Result]) -> Row:
    rates = "; ".join(f"{side} {result.calls_per_second:.0f}/s" for side, result in by_side.items())
    detail = f"{by_side[VERIFYING].ratio:.2f} with RS256 verification ({rates})"
    return Row(f"endpoint / SDK app, {era}", TARGETS[era], by_side[OURS].ratio, detail)
