"""Which permission each tool needs; a tool whose permission is missing is not listed, and not called.

A refused call is answered by HTTP 403 with `insufficient_scope` (MCP authorization, "Runtime insufficient scope
errors"), so that a client can ask for a token that reaches further; a tool error would only tell the model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError as ProtocolError
from mcp.types import INVALID_PARAMS
from opentelemetry import trace

from zava.errors import InsufficientScopeError, MCPError
from zava.platform import telemetry
from zava.platform.identity import READ_PRODUCTS, READ_SALES, Principal
from zava.protocol import audit
from zava.protocol.request import McpRequest
from zava.services.access import permissions_of

TOOL_PERMISSIONS: Mapping[str, str | None] = {
    "execute_sales_query": READ_SALES,
    "get_multiple_table_schemas": READ_SALES,
    "get_store_performance": READ_SALES,
    "show_sales_dashboard": READ_SALES,
    "semantic_search_products": READ_PRODUCTS,
    "get_current_utc_date": None,
}
"""The one table; None needs no permission. A tool that is not in it is nobody's."""


def may_call(principal: Principal, tool: str) -> bool:
    """Whether the principal may call (and see) a tool."""
    if tool not in TOOL_PERMISSIONS:
        return False
    needed = TOOL_PERMISSIONS[tool]
    return needed is None or needed in permissions_of(principal)


async def tool_gate(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware of the MCP server: hides tools, refuses calls, and writes the audit record of every call.

    Raises:
        InsufficientScopeError: the caller's token lacks the tool's permission.
    """
    request = ctx.request
    if not isinstance(request, McpRequest):
        raise TypeError("this request did not come through Zava's endpoint")
    if ctx.method == "tools/list":
        return _visible(await call_next(ctx), request.caller.principal)
    if ctx.method != "tools/call":
        return await call_next(ctx)
    name: object = (ctx.params or {}).get("name")
    tool = name if isinstance(name, str) and name in TOOL_PERMISSIONS else "unknown"
    started, outcome, rows = time.perf_counter(), "INTERNAL_ERROR", None
    try:
        if tool == "unknown":
            outcome = "VALIDATION_ERROR"
            raise ProtocolError(INVALID_PARAMS, "There is no such tool")
        if not may_call(request.caller.principal, tool):
            raise _refusal(request, tool)
        result = await call_next(ctx)
        outcome, rows = _outcome(result, request)
    except MCPError as problem:
        outcome = problem.code
        raise
    except asyncio.CancelledError:
        outcome = "REQUEST_TIMEOUT"
        raise
    else:
        return result
    finally:
        milliseconds = (time.perf_counter() - started) * 1_000
        audit.tool_call(request, tool, outcome, rows, milliseconds)
        _measure(tool, outcome, milliseconds)
        _describe_span(request, tool, outcome)


def _measure(tool: str, outcome: str, milliseconds: float) -> None:
    if outcome == "OK":
        telemetry.count("operation_success", operation=tool)
    else:
        telemetry.count("operation_error", operation=tool, code=outcome)
    telemetry.record("operation_duration", milliseconds, operation=tool)


def _describe_span(request: McpRequest, tool: str, outcome: str) -> None:
    """Complete the span that the `mcp` package opened; it named a tool as the caller did, whatever that was."""
    span = trace.get_current_span()
    if span.is_recording():
        span.update_name(f"tools/call {tool}")
        span.set_attributes({"gen_ai.tool.name": tool, "zava.correlation_id": request.correlation_id})
        if outcome != "OK":
            span.set_attribute("error.type", outcome)


def _refusal(request: McpRequest, tool: str) -> InsufficientScopeError:
    needed = TOOL_PERMISSIONS[tool]
    refusal = InsufficientScopeError(
        f"The tool {tool} needs the permission {needed}", f"Sign in again with {needed}, or use another tool."
    )
    refusal.caller = request.caller.scope.subject
    return refusal


def _visible(result: HandlerResult, principal: Principal) -> HandlerResult:
    listed = cast("dict[str, Any]", result)
    return listed | {"tools": [tool for tool in listed["tools"] if may_call(principal, tool["name"])]}


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
