"""Tool `get_multiple_table_schemas`."""

from __future__ import annotations

from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from zava.data.retail_schema import RETAIL_TABLES
from zava.protocol.request import McpRequest
from zava.protocol.results import answer
from zava.protocol.schema_answer import TableSchemasAnswer, schema_answer, schema_text
from zava.protocol.tools.annotations import read_only
from zava.services.table_schemas import TableSchemas


def add_table_schemas(server: MCPServer, table_schemas: TableSchemas) -> None:
    @server.tool(
        name="get_multiple_table_schemas",
        title="Table schemas",
        annotations=read_only("Table schemas"),
        description=(
            "Columns, types, keys, valid values, joins, hints and an example query of the retail tables. Call it "
            "once, with every table the question needs, before writing SQL for execute_sales_query; the answer "
            f"changes rarely. Tables: {', '.join(RETAIL_TABLES)}. Not for reading rows."
        ),
    )
    async def get_multiple_table_schemas(
        context: Context,
        table_names: Annotated[
            list[str],
            Field(
                description="Table names, with or without the prefix retail. An empty list means every table.",
                max_length=20,
            ),
        ],
    ) -> Annotated[CallToolResult, TableSchemasAnswer]:
        async def work(request: McpRequest) -> TableSchemasAnswer:
            return schema_answer(
                await table_schemas.describe(table_names, request.caller.scope, deadline=request.deadline)
            )

        return await answer(context, work, text=schema_text)
