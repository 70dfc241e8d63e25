"""What travels with one MCP call from the HTTP trigger to the tool: passed on as an argument, never a global.

A context variable would leak into background tasks that several calls share (a pool being opened, keys being fetched).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.server import ServerRequestContext
from mcp.server.mcpserver import Context

from zava.data.tenant_context import TenantScope
from zava.platform.identity import Principal
from zava.services.call_record import CallRecord


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified principal and the scope of this one call; `pseudonym` is how logs and telemetry name them.

    `admission` are the steps that letting the call in took, in milliseconds, for the trace: its span begins after them.
    """

    principal: Principal
    scope: TenantScope
    pseudonym: str = ""
    admission: Mapping[str, float] = field(default_factory=dict[str, float], compare=False)


@dataclass(frozen=True, slots=True)
class McpRequest:
    """The call as a tool sees it. `deadline` is on `time.monotonic`'s clock; header names are lower case; `record`
    collects what the audit says of the call."""

    caller: Caller
    deadline: float
    correlation_id: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    record: CallRecord = field(default_factory=CallRecord)


def request_of(context: Context) -> McpRequest:
    """The `McpRequest` that the endpoint attached to this call, as a tool sees it."""
    return request_in(context.request_context)


def request_in(context: ServerRequestContext[Any, Any]) -> McpRequest:
    """The same, as a handler or a middleware sees it."""
    request = context.request
    if not isinstance(request, McpRequest):
        raise TypeError("this call did not come through Zava's endpoint")
    return request
