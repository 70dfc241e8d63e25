"""Tool `get_multiple_table_schemas`."""

from __future__ import annotations

from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import BaseModel, Field

from zava.data.retail_schema import RETAIL_TABLES
from zava.data.schema_catalogue import Table
from zava.protocol.request import McpRequest
from zava.protocol.results import answer
from zava.protocol.tools.annotations import read_only
from zava.services.table_schemas import QUERY_HINTS, TableSchemas


class ColumnSchema(BaseModel):
    name: str
    type: str
    key: Annotated[str | None, Field(description="`primary`, or the table a foreign key points to.")] = None
    nullable: Annotated[bool | None, Field(description="Present and true when the column may be NULL.")] = None
    description: str
    valid_values: Annotated[list[str] | None, Field(description="All values, where they are few.")] = None


class TableSchema(BaseModel):
    table: Annotated[str, Field(description="Name to use in SQL, with its schema.")]
    description: str
    columns: list[ColumnSchema]
    query_hints: list[str] | None = None


class TableSchemasAnswer(BaseModel):
    tables: list[TableSchema]


def add_table_schemas(server: MCPServer, table_schemas: TableSchemas) -> None:
    @server.tool(
        name="get_multiple_table_schemas",
        title="Table schemas",
        annotations=read_only("Table schemas"),
        description=(
            "Columns, types, keys, valid values and query hints of the retail tables. Call it once, with every table "
            "the question needs, before writing SQL for execute_sales_query; the answer changes rarely. "
            f"Tables: {', '.join(RETAIL_TABLES)}. Not for reading rows."
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
            tables = await table_schemas.describe(table_names, request.caller.scope, deadline=request.deadline)
            return TableSchemasAnswer(tables=[_schema(table) for table in tables])

        return await answer(context, work)


def _schema(table: Table) -> TableSchema:
    return TableSchema(
        table=f"retail.{table.name}",
        description=table.description,
        columns=[
            ColumnSchema(
                name=column.name,
                type=column.type,
                key="primary" if column.primary_key else column.references,
                nullable=column.nullable or None,
                description=column.description,
                valid_values=list(column.valid_values) or None,
            )
            for column in table.columns
        ],
        query_hints=list(QUERY_HINTS.get(table.name, ())) or None,
    )
