"""Tool `show_sales_dashboard`, and the MCP App that draws its answer (extension `io.modelcontextprotocol/ui`)."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server.apps import APP_MIME_TYPE, Apps
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resources import FunctionResource
from mcp.types import CallToolResult
from pydantic import GetJsonSchemaHandler, RootModel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from zava.protocol.apps import page
from zava.protocol.tools.annotations import read_only
from zava.protocol.tools.get_store_performance import DEFAULT_PERIOD, PeriodArgument, StoreArgument, answer_with_report
from zava.services.store_performance import StorePerformance

DASHBOARD = "ui://zava/dashboard"


class DashboardAnswer(RootModel[dict[str, Any]]):
    """The answer of get_store_performance, whose schema a model need not pay for twice."""

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, __: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "object", "description": "The answer of get_store_performance."}


def sales_dashboard(performance: StorePerformance) -> Apps:
    """The tool and its page, as an extension of the server. The page is read when a client first asks for it."""
    apps = Apps()

    @apps.tool(
        resource_uri=DASHBOARD,
        visibility=["model", "app"],
        name="show_sales_dashboard",
        title="Sales dashboard",
        annotations=read_only("Sales dashboard", idempotent=False),
        description=(
            "Shows the user a dashboard in the chat: key figures, revenue trend, categories, top products, store "
            "filter. Use it when a picture helps or is asked for; to reason about the figures alone call "
            "get_store_performance, whose arguments and answer are the same. Where the client cannot draw, tell the "
            "user what the answer says."
        ),
    )
    async def show_sales_dashboard(
        context: Context, store: StoreArgument = "", time_period: PeriodArgument = DEFAULT_PERIOD
    ) -> Annotated[CallToolResult, DashboardAnswer]:
        return await answer_with_report(context, performance, store, time_period)

    apps.add_resource(
        FunctionResource(
            uri=DASHBOARD,
            name="sales_dashboard",
            title="Sales dashboard",
            description="The page that draws the answer of show_sales_dashboard.",
            mime_type=APP_MIME_TYPE,
            meta={"ui": {"prefersBorder": True}},
            fn=lambda: page("dashboard"),
        )
    )
    return apps
