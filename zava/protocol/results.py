"""Turns what a service returned or raised into the result of an MCP tool call. The one place for tool errors."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel
from pydantic_core import to_json

from zava.errors import MCPError
from zava.protocol.http import internal_error, log_failure
from zava.protocol.request import McpRequest, request_of

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer", bound=BaseModel)


async def answer(
    context: Context,
    work: Callable[[McpRequest], Awaitable[Answer]],
    text: Callable[[Answer], str] | None = None,
) -> CallToolResult:
    """Run one tool's work: its model as text and as structured content, each complete on its own.

    The text is compact JSON unless `text` writes a better one.

    An error of Zava's tree becomes `isError` with `{code, message, hint}`; anything else says "internal error" and a
    correlation id that the log repeats beside the stack.
    """
    request = request_of(context)
    try:
        result = await work(request)
    except MCPError as problem:
        request.record.outcome = problem.code
        log_failure(problem, request.correlation_id)
        return _failure(problem.as_dict())
    except Exception:  # noqa: BLE001  (logged with its trace; a bug must not end the call without an answer)
        request.record.outcome = "INTERNAL_ERROR"
        _log.exception("a tool call failed, correlation id %s", request.correlation_id)
        return _failure(internal_error(request.correlation_id))
    document = result.model_dump(mode="json", exclude_none=True)
    written = text(result) if text else to_json(document).decode()
    return CallToolResult(content=[TextContent(type="text", text=written)], structured_content=document)


def _failure(document: dict[str, str]) -> CallToolResult:
    # No structured content: some clients check it against the output schema even when the call failed.
    return CallToolResult(content=[TextContent(type="text", text=to_json(document).decode())], is_error=True)
