"""The official SDK client over real HTTP, in every mode: connects, lists, asks, and sees only its own stores."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from zava.local.stores import STORES

MODES = ("auto", "legacy", "2026-07-28")


@asynccontextmanager
async def connected(url: str, token: str, mode: str = "auto", **headers: str) -> AsyncGenerator[Client]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"} | named, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


def document(result: CallToolResult) -> dict[str, Any]:
    """The answer's text as JSON."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    return json.loads(content.text)


@pytest.mark.parametrize("mode", MODES)
async def test_every_mode_connects_lists_the_tools_and_gets_an_answer(
    mode: str, server_url: str, token_for: Callable[..., str]
) -> None:
    async with connected(server_url, token_for("super_admin"), mode) as client:
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} >= {
            "execute_sales_query",
            "get_current_utc_date",
            "get_multiple_table_schemas",
            "semantic_search_products",
        }
        for tool in tools:
            assert tool.title
            assert tool.description
            assert tool.output_schema
            assert tool.annotations is not None
            assert (tool.annotations.read_only_hint, tool.annotations.open_world_hint) == (True, False)
        result = await client.call_tool("execute_sales_query", {"postgresql_query": "SELECT count(*) AS n FROM stores"})
        expected = {"columns": ["n"], "rows": [[len(STORES)]], "row_count": 1, "truncated": False}
        assert (result.is_error, result.structured_content, document(result)) == (False, expected, expected)


@pytest.mark.parametrize("mode", MODES)
async def test_a_store_managers_answer_holds_their_store_only(
    mode: str, server_url: str, token_for: Callable[..., str], oracle: asyncpg.Connection
) -> None:
    sql = "SELECT store_name, count(*) FROM orders JOIN stores USING (store_id) GROUP BY store_name ORDER BY 1"
    truth = [
        [row[0], row[1]]
        for row in await oracle.fetch(sql.replace("orders", "retail.orders").replace("stores", "retail.stores", 1))
    ]
    async with connected(server_url, token_for("super_admin"), mode) as client:
        everything = document(await client.call_tool("execute_sales_query", {"postgresql_query": sql}))
    assert everything["rows"] == truth
    async with connected(server_url, token_for("store_manager", stores=["seattle"]), mode) as client:
        own = document(await client.call_tool("execute_sales_query", {"postgresql_query": sql}))
    assert own["rows"] == [row for row in truth if row[0] == "Zava Retail Seattle"]


async def test_the_header_narrows_head_office_to_one_store(server_url: str, token_for: Callable[..., str]) -> None:
    everett = next(store for store in STORES if store.slug == "everett")
    async with connected(server_url, token_for("super_admin"), x_rls_user_id=str(everett.store_id)) as client:
        answer = document(
            await client.call_tool("execute_sales_query", {"postgresql_query": "SELECT store_name FROM stores"})
        )
    assert answer["rows"] == [["Zava Retail Everett"]]


async def test_a_refused_query_is_a_tool_error_that_says_what_to_do(
    server_url: str, token_for: Callable[..., str]
) -> None:
    async with connected(server_url, token_for("super_admin")) as client:
        result = await client.call_tool("execute_sales_query", {"postgresql_query": "DELETE FROM orders"})
    answer = document(result)
    assert (result.is_error, result.structured_content, answer["code"]) == (True, None, "QUERY_REFUSED")
    assert set(answer) == {"code", "message", "hint"}
    assert all(answer.values())


async def test_the_schema_tool_describes_the_tables_asked_for_with_the_callers_own_stores(
    server_url: str, token_for: Callable[..., str]
) -> None:
    async with connected(server_url, token_for("store_manager", stores=["tacoma"])) as client:
        named = await client.call_tool("get_multiple_table_schemas", {"table_names": ["retail.stores", "orders"]})
        unknown = await client.call_tool("get_multiple_table_schemas", {"table_names": ["pg_class"]})
        everything = await client.call_tool("get_multiple_table_schemas", {"table_names": []})
    (content,) = named.content
    assert isinstance(content, TextContent)
    assert named.structured_content is not None
    stores, orders = named.structured_content["tables"]
    assert (stores["table"], orders["table"]) == ("retail.stores", "retail.orders")
    values = {column["name"]: column.get("valid_values") for column in stores["columns"]}
    assert (values["store_name"], values["region"]) == (["Zava Retail Tacoma"], ["puget-sound"])
    order_id = {"name": "order_id", "type": "uuid", "key": "primary", "description": "Identifier of the order."}
    assert orders["columns"][0] == order_id
    assert {store.name for store in STORES if store.name in content.text} == {"Zava Retail Tacoma"}
    assert (unknown.is_error, document(unknown)["code"]) == (True, "VALIDATION_ERROR")
    assert everything.structured_content is not None
    assert len(everything.structured_content["tables"]) == 9


async def test_the_date_tool_tells_the_time_in_utc(server_url: str, token_for: Callable[..., str]) -> None:
    async with connected(server_url, token_for("super_admin")) as client:
        answer = document(await client.call_tool("get_current_utc_date", {}))
    assert answer["utc_now"].endswith("+00:00")


async def test_wrong_arguments_are_a_tool_error(server_url: str, token_for: Callable[..., str]) -> None:
    async with connected(server_url, token_for("super_admin")) as client:
        result = await client.call_tool("execute_sales_query", {"query": "SELECT 1"})
    assert result.is_error
