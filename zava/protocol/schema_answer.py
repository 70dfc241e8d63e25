"""What a client is told of tables: as a document for programs, and as a text that costs a model few tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, Field

from zava.data.retail_schema import RETAIL_SCHEMA
from zava.data.schema_catalogue import Table
from zava.services.table_schemas import ADVICE

_LEGEND = (
    f"PostgreSQL, schema {RETAIL_SCHEMA}. A line is: column type (PK; null: may be NULL): meaning [all values]. "
    "Amounts are US dollars, times UTC. Rows are limited to your own stores. Revenue counts orders with status "
    "completed or processing. Example queries run as they are."
)


class ColumnSchema(BaseModel):
    name: str
    type: str
    key: Annotated[str | None, Field(description="`primary`, or the table a foreign key points to.")] = None
    nullable: bool | None = None
    description: str
    valid_values: Annotated[list[str] | None, Field(description="All values, where they are few.")] = None


class TableSchema(BaseModel):
    table: str
    description: str
    columns: list[ColumnSchema]
    joins: Annotated[list[str] | None, Field(description="What to JOIN along the foreign keys.")] = None
    query_hints: list[str] | None = None
    example_query: str


class TableSchemasAnswer(BaseModel):
    tables: list[TableSchema]


def schema_answer(tables: Iterable[Table]) -> TableSchemasAnswer:
    return TableSchemasAnswer(tables=[_schema(table) for table in tables])


def schema_text(answer: TableSchemasAnswer) -> str:
    return "\n\n".join([_LEGEND, *map(_table_text, answer.tables)])


def _schema(table: Table) -> TableSchema:
    advice = ADVICE[table.name]
    return TableSchema(
        table=f"{RETAIL_SCHEMA}.{table.name}",
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
        joins=list(table.joins) or None,
        query_hints=list(advice.hints) or None,
        example_query=advice.example,
    )


def _table_text(table: TableSchema) -> str:
    name = table.table.removeprefix(f"{RETAIL_SCHEMA}.")
    lines = [f"# {name}: {table.description}", *map(_column_text, table.columns)]
    if table.joins:
        lines.append(f"JOIN {'; '.join(table.joins)}")
    lines += [f"Hint: {hint}" for hint in table.query_hints or ()]
    return "\n".join([*lines, f"Example: {table.example_query}"])


def _column_text(column: ColumnSchema) -> str:
    marks = " PK" * (column.key == "primary") + " null" * bool(column.nullable)
    values = f" [{', '.join(column.valid_values)}]" if column.valid_values else ""
    return f"{column.name} {column.type}{marks}: {column.description}{values}"
