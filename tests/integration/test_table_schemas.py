"""What the schema tool tells a model: whole, true, of the caller's own stores only, and cheap."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.conftest import Database
from tests.small_endpoint import handshake, tool
from tests.token_count import tokens
from zava.bootstrap import Application
from zava.data.pools import Pools
from zava.data.retail_schema import RETAIL_TABLES
from zava.data.schema_catalogue import Column, SchemaCatalogue, Table
from zava.data.tenant_context import TenantScope
from zava.services.table_schemas import ADVICE

_MOST_SCHEMA_TOKENS = 2_500
_MOST_TOOL_TOKENS = 3_500


async def answer(
    application: Application, database: Database, method: str, params: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What head office gets."""
    request = handshake(method, params or {})
    bearer = {"authorization": f"Bearer {database.cluster.issuer.mint('super_admin')}"}
    reply = await application.endpoint.handle(request.method, request.headers | bearer, request.body)
    return json.loads(reply.body)["result"]


async def test_all_nine_tables_cost_no_more_than_2500_tokens_as_text_and_as_a_document(
    application: Application, database: Database
) -> None:
    result = await answer(application, database, "tools/call", tool("get_multiple_table_schemas", table_names=[]))
    (content,) = result["content"]
    assert len(result["structuredContent"]["tables"]) == len(RETAIL_TABLES)
    assert tokens(content["text"]) <= _MOST_SCHEMA_TOKENS
    assert tokens(result["structuredContent"]) <= _MOST_SCHEMA_TOKENS


async def test_the_list_of_tools_costs_no_more_than_3500_tokens(application: Application, database: Database) -> None:
    assert tokens(await answer(application, database, "tools/list")) <= _MOST_TOOL_TOKENS


async def test_the_text_of_a_table_says_all_that_its_document_says(
    application: Application, database: Database
) -> None:
    result = await answer(application, database, "tools/call", tool("get_multiple_table_schemas", table_names=[]))
    text = result["content"][0]["text"]
    for table in result["structuredContent"]["tables"]:
        part = text[text.index(f"# {table['table'].removeprefix('retail.')}: ") :].partition("\n\n")[0]
        said = [table["description"], table["example_query"], *table.get("joins", ()), *table.get("query_hints", ())]
        for column in table["columns"]:
            said += [f"{column['name']} {column['type']}", column["description"], *column.get("valid_values", ())]
        assert [each for each in said if each not in part] == []


async def test_one_table_reads_like_this(application: Application, database: Database) -> None:
    result = await answer(
        application, database, "tools/call", tool("get_multiple_table_schemas", table_names=["categories"])
    )
    values = (
        "Electrical, Garden & Outdoor, Hand Tools, Hardware, Lumber & Building Materials, Paint & Finishes, "
        "Plumbing, Power Tools, Storage & Organization"
    )
    assert result["content"][0]["text"].partition("\n\n")[2].splitlines() == [
        "# categories: Product categories, the same for every store.",
        "category_id integer PK: Identifier of the category.",
        f"category_name text: Display name of the category. [{values}]",
        "Example: SELECT category_name, count(*) AS products FROM categories JOIN products USING (category_id) "
        "GROUP BY 1",
    ]


async def test_the_page_shows_a_table_as_it_is(application: Application, database: Database) -> None:
    result = await answer(
        application, database, "tools/call", tool("get_multiple_table_schemas", table_names=["orders"])
    )
    page = (Path(__file__).parents[2] / "docs/resources-and-prompts.md").read_text()
    assert page.split("```\n")[1].rstrip() == result["content"][0]["text"].partition("\n\n")[2]


@pytest.mark.parametrize("table", RETAIL_TABLES)
@pytest.mark.parametrize("stores", [("spokane",), ()], ids=["one store", "all stores"])
async def test_the_example_of_a_table_passes_the_policy_and_has_rows(
    table: str, stores: tuple[str, ...], application: Application, scope: Callable[..., TenantScope]
) -> None:
    result = await application.sales_queries.run(ADVICE[table].example, scope(*stores), deadline=time.monotonic() + 10)
    assert result.rows
    assert re.search(rf"\b{table}\b", ADVICE[table].example)


async def test_every_join_path_passes_the_policy_and_has_rows(
    application: Application, database: Database, scope: Callable[..., TenantScope]
) -> None:
    catalogue = await _catalogue(database)
    paths = [(table.name, join) for table in catalogue.values() for join in table.joins]
    assert len(paths) == 11
    for table, join in paths:
        sql = f"SELECT 1 FROM {table} JOIN {join} LIMIT 1"
        result = await application.sales_queries.run(sql, scope("spokane"), deadline=time.monotonic() + 10)
        assert result.rows == ((1,),), sql


async def test_the_catalogue_holds_the_keys_the_constraints_values_and_the_public_names(
    database: Database, oracle: asyncpg.Connection
) -> None:
    catalogue = await _catalogue(database)
    assert {name: [column.name for column in table.columns] for name, table in catalogue.items()} == {
        name: list(columns) for name, columns in RETAIL_TABLES.items()
    }
    values = {
        (table.name, column.name): column.valid_values
        for table in catalogue.values()
        for column in table.columns
        if column.valid_values
    }
    assert values == {
        ("orders", "status"): ("completed", "processing", "returned", "cancelled"),
        ("categories", "category_name"): await _names(oracle, "category_name", "categories"),
        ("product_types", "type_name"): await _names(oracle, "type_name", "product_types"),
    }
    assert catalogue["order_items"].joins == ("products USING (product_id)", "orders USING (order_id, store_id)")
    assert catalogue["stores"] == Table(
        name="stores",
        description="Stores of the retailer; one row per store the caller may see.",
        columns=(
            Column("store_id", "uuid", False, True, None, "Identifier of the store, in every table."),
            Column("store_name", "text", False, False, None, "Display name of the store."),
            Column("location", "text", False, False, None, "City and state, or Online."),
            Column("region", "text", False, False, None, "Sales region the store belongs to."),
            Column("is_online", "boolean", False, False, None, "True for the online store."),
            Column("manager_id", "uuid", True, False, None, "Identifier of the store's manager, if one is appointed."),
            Column("created_at", "timestamptz", False, False, None, "When the store was entered."),
        ),
        joins=(),
    )


async def test_the_catalogue_is_read_once_in_ten_minutes(database: Database) -> None:
    now = 1_000.0
    catalogue = SchemaCatalogue(Pools(database.settings), clock=lambda: now)
    first = await catalogue.tables()
    now += 599
    assert await catalogue.tables() is first
    now += 1
    again = await catalogue.tables()
    assert again is not first
    assert again == first


async def _catalogue(database: Database) -> dict[str, Table]:
    return dict(await SchemaCatalogue(Pools(database.settings)).tables())


async def _names(oracle: asyncpg.Connection, column: str, table: str) -> tuple[str, ...]:
    return tuple(row[0] for row in await oracle.fetch(f"SELECT DISTINCT {column} FROM retail.{table} ORDER BY 1"))
