"""Which permission each tool, prompt and resource needs; without it none is listed, called, read or completed.

A refused call is answered by HTTP 403 with `insufficient_scope` (MCP authorization, "Runtime insufficient scope
errors"), so that a client can ask for a token that reaches further; a tool error would only tell the model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError as ProtocolError
from mcp.types import INVALID_PARAMS
from opentelemetry import trace

from zava.errors import InsufficientScopeError, MCPError
from zava.platform import telemetry
from zava.platform.identity import READ_PRODUCTS, READ_SALES, Principal
from zava.protocol import audit, resources
from zava.protocol.request import McpRequest, request_in
from zava.services.access import permissions_of

TOOL_PERMISSIONS: Mapping[str, str | None] = {
    "execute_sales_query": READ_SALES,
    "get_multiple_table_schemas": READ_SALES,
    "get_store_performance": READ_SALES,
    "show_sales_dashboard": READ_SALES,
    "semantic_search_products": READ_PRODUCTS,
    "get_current_utc_date": None,
}
PROMPT_PERMISSIONS: Mapping[str, str | None] = {
    "monthly_review": READ_SALES,
    "compare_stores": READ_SALES,
    "find_products": READ_PRODUCTS,
    "stock_check": READ_SALES,
}
RESOURCE_PERMISSIONS: Mapping[str, str | None] = {
    resources.SCHEMA: READ_SALES,
    resources.TABLE: READ_SALES,
    resources.STORES: READ_SALES,
    "ui://zava/dashboard": READ_SALES,
}
"""The three tables; None needs no permission. What is in none of them is nobody's."""


Kind = Literal["tool", "prompt", "resource"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is about. `name` is the one of a table, or `unknown`: a caller's own word is never recorded."""

    kind: Kind
    name: str

    @classmethod
    def of(cls, kind: Kind, name: object) -> Asked:
        known = resources.known_as(name) if kind == "resource" and isinstance(name, str) else name
        return cls(kind, known if isinstance(known, str) and known in _PERMISSIONS[kind] else "unknown")

    @property
    def needed(self) -> str | None:
        return _PERMISSIONS[self.kind][self.name]

    def is_open_to(self, principal: Principal) -> bool:
        """Whether the principal may use it, and see that it is there."""
        return self.name != "unknown" and (self.needed is None or self.needed in permissions_of(principal))


_PERMISSIONS = {"tool": TOOL_PERMISSIONS, "prompt": PROMPT_PERMISSIONS, "resource": RESOURCE_PERMISSIONS}
_SPAN_NAMES = {"tool": "gen_ai.tool.name", "prompt": "gen_ai.prompt.name", "resource": "mcp.resource.uri"}
_LISTS: Mapping[str, tuple[Kind, str, str]] = {
    "tools/list": ("tool", "tools", "name"),
    "prompts/list": ("prompt", "prompts", "name"),
    "resources/list": ("resource", "resources", "uri"),
    "resources/templates/list": ("resource", "resourceTemplates", "uriTemplate"),
}


async def tool_gate(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware of the MCP server: hides, refuses, and writes the audit record of every call, prompt and read.

    Raises:
        InsufficientScopeError: the caller's token lacks the permission.
    """
    request, params = request_in(ctx), ctx.params or {}
    if ctx.method in _LISTS:
        return _visible(await call_next(ctx), *_LISTS[ctx.method], request.caller.principal)
    match ctx.method:
        case "tools/call":
            return await _recorded(ctx, call_next, request, Asked.of("tool", params.get("name")))
        case "prompts/get":
            return await _recorded(ctx, call_next, request, Asked.of("prompt", params.get("name")))
        case "resources/read":
            return await _recorded(ctx, call_next, request, Asked.of("resource", params.get("uri")))
        case "completion/complete":
            asked = _completed(params)
            if asked.name != "unknown":  # what nobody knows is completed by nothing
                _check(asked, request, params)
        case _:
            pass
    return await call_next(ctx)


def _completed(params: Mapping[str, Any]) -> Asked:
    """The prompt or resource template whose argument a completion is for."""
    match params.get("ref"):
        case {"type": "ref/prompt", "name": name}:
            return Asked.of("prompt", name)
        case {"uri": uri}:
            return Asked.of("resource", uri)
        case _:
            return Asked("prompt", "unknown")


async def _recorded(
    ctx: ServerRequestContext[Any, Any], call_next: CallNext, request: McpRequest, asked: Asked
) -> HandlerResult:
    started, outcome, rows = time.perf_counter(), "INTERNAL_ERROR", None
    try:
        _check(asked, request, ctx.params or {})
        result = await call_next(ctx)
        outcome, rows = _outcome(result, request)
    except MCPError as problem:
        outcome = problem.code
        raise
    except ProtocolError as problem:
        outcome = "VALIDATION_ERROR" if problem.error.code == INVALID_PARAMS else "INTERNAL_ERROR"
        raise
    except asyncio.CancelledError:
        outcome = "REQUEST_TIMEOUT"
        raise
    else:
        return result
    finally:
        milliseconds = (time.perf_counter() - started) * 1_000
        audit.call(request, asked.kind, asked.name, outcome, rows, milliseconds)
        _measure(asked.name, outcome, milliseconds)
        _describe_span(request, f"{ctx.method} {asked.name}", asked, outcome)


def _check(asked: Asked, request: McpRequest, params: Mapping[str, Any]) -> None:
    if asked.name == "unknown":
        data = {"uri": params.get("uri")} if asked.kind == "resource" else None
        raise ProtocolError(INVALID_PARAMS, f"There is no such {asked.kind}", data)
    if not asked.is_open_to(request.caller.principal):
        raise _refusal(request, asked)


def _measure(tool: str, outcome: str, milliseconds: float) -> None:
    if outcome == "OK":
        telemetry.count("operation_success", operation=tool)
    else:
        telemetry.count("operation_error", operation=tool, code=outcome)
    telemetry.record("operation_duration", milliseconds, operation=tool)


def _describe_span(request: McpRequest, name: str, asked: Asked, outcome: str) -> None:
    """Complete the span that the `mcp` package opened; it named a tool as the caller did, whatever that was."""
    span = trace.get_current_span()
    if span.is_recording():
        span.update_name(name)
        named = {_SPAN_NAMES[asked.kind]: asked.name, "zava.correlation_id": request.correlation_id}
        span.set_attributes({**named, **request.caller.admission})
        if outcome != "OK":
            span.set_attribute("error.type", outcome)


def _refusal(request: McpRequest, asked: Asked) -> InsufficientScopeError:
    refusal = InsufficientScopeError(
        f"The {asked.kind} {asked.name} needs the permission {asked.needed}",
        f"Sign in again with {asked.needed}, or use another {asked.kind}.",
    )
    refusal.caller = request.caller.pseudonym
    return refusal


def _visible(result: HandlerResult, kind: Kind, key: str, name: str, principal: Principal) -> HandlerResult:
    listed = cast("dict[str, Any]", result)
    return listed | {key: [each for each in listed[key] if Asked.of(kind, each[name]).is_open_to(principal)]}


def _outcome(result: HandlerResult, request: McpRequest) -> tuple[str, int | None]:
    """The outcome, and how many rows or items the answer brings, where it brings any."""
    answer = cast("dict[str, Any]", result)
    if answer.get("isError"):  # without a record of ours the package itself refused the arguments
        return request.record.outcome or "VALIDATION_ERROR", None
    content = cast("dict[str, object]", answer.get("structuredContent") or {})
    if isinstance(count := content.get("row_count"), int):
        return "OK", count
    lists = [cast("list[object]", value) for value in content.values() if isinstance(value, list)]
    return "OK", len(lists[0]) if lists else None
