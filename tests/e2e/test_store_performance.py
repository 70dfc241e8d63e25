"""The performance tools as clients of each role see them: whole answers of their own stores, and the app's page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import pytest

from tests.e2e.test_clients import MODES, connected, document
from tests.e2e.test_product_search import CALLERS
from zava.local.stores import STORES
from zava.protocol.apps import page

NAMES = {store.slug: store.name for store in STORES}
TOOLS = ("get_store_performance", "show_sales_dashboard")


@pytest.mark.parametrize(("identity", "headers", "slugs"), CALLERS.values(), ids=CALLERS)
async def test_a_caller_gets_the_figures_of_their_stores_from_both_tools(
    identity: dict[str, Any],
    headers: dict[str, str],
    slugs: Sequence[str],
    server_url: str,
    token_for: Callable[..., str],
    oracle: asyncpg.Connection,
) -> None:
    ids = [store.store_id for store in STORES if store.slug in slugs]
    revenue = await oracle.fetchval(
        """SELECT sum(total_amount) FROM retail.orders WHERE store_id = ANY ($1)
           AND status IN ('completed', 'processing') AND order_date >= '2025-01-01' AND order_date < '2026-01-01'""",
        ids,
    )
    async with connected(server_url, token_for(**identity), **headers) as client:
        results = [await client.call_tool(tool, {"time_period": "2025"}) for tool in TOOLS]
    answers = [document(result) for result in results]
    assert [result.structured_content for result in results] == answers
    assert answers[0] == answers[1]
    assert answers[0]["figures"][0]["value"] == float(revenue or 0)
    assert answers[0]["subject"] == (NAMES[slugs[0]] if len(slugs) == 1 else f"{len(slugs)} stores")
    assert {store["name"] for store in answers[0]["stores"]} == {NAMES[slug] for slug in slugs}


async def test_a_manager_may_ask_for_one_of_their_stores_and_learns_of_no_other(
    server_url: str, token_for: Callable[..., str]
) -> None:
    async with connected(server_url, token_for("store_manager", stores=["redmond", "online"])) as client:
        own = document(await client.call_tool(TOOLS[0], {"store": "redmond", "time_period": "2025"}))
        foreign = await client.call_tool(TOOLS[0], {"store": "Seattle"})
        unknown = await client.call_tool(TOOLS[0], {"store": "Atlantis"})
        period = await client.call_tool(TOOLS[0], {"time_period": "last fortnight"})
    assert own["subject"] == "Zava Retail Redmond"
    assert {store["name"]: store["selected"] for store in own["stores"]} == {
        "Zava Retail Redmond": True,
        "Zava Retail Online": False,
    }
    listed = "Leave store out for all of them, or name one of: Zava Retail Online, Zava Retail Redmond."
    for result, name in ((foreign, "Seattle"), (unknown, "Atlantis")):
        assert (result.is_error, document(result)) == (
            True,
            {"code": "VALIDATION_ERROR", "message": f"None of your stores fits '{name}'.", "hint": listed},
        )
    assert "last_N_days" in document(period)["hint"]


@pytest.mark.parametrize("mode", MODES)
async def test_the_dashboard_names_its_page_and_the_page_is_served(
    mode: str, server_url: str, token_for: Callable[..., str]
) -> None:
    async with connected(server_url, token_for("store_manager", stores=["seattle"]), mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        resources = (await client.list_resources()).resources
        (content,) = (await client.read_resource("ui://zava/dashboard")).contents
    assert tools["show_sales_dashboard"].meta == {
        "ui": {"resourceUri": "ui://zava/dashboard", "visibility": ["model", "app"]}
    }
    assert tools["get_store_performance"].meta is None
    listed = {str(resource.uri): (resource.mime_type, resource.meta) for resource in resources}
    assert listed["ui://zava/dashboard"] == ("text/html;profile=mcp-app", {"ui": {"prefersBorder": True}})
    assert (content.mime_type, content.model_dump()["text"]) == ("text/html;profile=mcp-app", page("dashboard"))


async def test_without_the_permission_to_read_sales_neither_tool_is_listed(server_url: str, database: Any) -> None:
    token = database.cluster.issuer.mint("store_manager", stores=["seattle"], permissions=["products.read"])
    async with connected(server_url, token) as client:
        assert not set(TOOLS) & {tool.name for tool in (await client.list_tools()).tools}
