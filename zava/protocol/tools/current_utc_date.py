"""Tool `get_current_utc_date`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import BaseModel, Field

from zava.protocol.request import McpRequest
from zava.protocol.results import answer
from zava.protocol.tools.annotations import read_only


class CurrentUtcDate(BaseModel):
    utc_now: Annotated[str, Field(description="The current date and time, ISO 8601, UTC.")]


def add_current_utc_date(server: MCPServer, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
    @server.tool(
        name="get_current_utc_date",
        title="Current date",
        annotations=read_only("Current date", idempotent=False),
        description=(
            "The current date and time in UTC. Call it before a query about today, this month or the last N days, "
            "and write the dates into the query. Not needed when the question names its dates."
        ),
    )
    async def get_current_utc_date(context: Context) -> Annotated[CallToolResult, CurrentUtcDate]:
        async def work(_: McpRequest) -> CurrentUtcDate:
            return CurrentUtcDate(utc_now=clock().isoformat(timespec="seconds"))

        return await answer(context, work)
