"""Product search as a client of each role sees it: the same products for all, the stock of one's own stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import httpx2
import pytest

from tests.e2e.conftest import Server
from tests.e2e.test_clients import connected, document
from zava.local.stores import STORES

PUGET_SOUND = [store.slug for store in STORES if store.region == "puget-sound"]
SPOKANE = next(store for store in STORES if store.slug == "spokane")
CALLERS: dict[str, tuple[dict[str, Any], dict[str, str], Sequence[str]]] = {
    "head office": ({"role": "super_admin"}, {}, [store.slug for store in STORES]),
    "head office, one store asked for": (
        {"role": "super_admin"},
        {"x_rls_user_id": str(SPOKANE.store_id)},
        ["spokane"],
    ),
    "a region": ({"role": "regional_manager", "regions": ["puget-sound"]}, {}, PUGET_SOUND),
    "a store": ({"role": "store_manager", "stores": ["seattle"]}, {}, ["seattle"]),
    "two stores": ({"role": "store_manager", "stores": ["redmond", "online"]}, {}, ["redmond", "online"]),
}


@pytest.mark.parametrize(("identity", "headers", "slugs"), CALLERS.values(), ids=CALLERS)
async def test_the_stock_shown_is_that_of_the_callers_stores(
    identity: dict[str, Any],
    headers: dict[str, str],
    slugs: Sequence[str],
    server_url: str,
    token_for: Callable[..., str],
    oracle: asyncpg.Connection,
) -> None:
    ids = [store.store_id for store in STORES if store.slug in slugs]
    async with connected(server_url, token_for(**identity), **headers) as client:
        result = await client.call_tool("semantic_search_products", {"query_description": "paint", "max_rows": 40})
    answer = document(result)
    assert (result.is_error, result.structured_content) == (False, answer)
    assert (answer["mode"], answer["product_count"]) == ("lexical", len(answer["products"]))
    levels = await oracle.fetch(
        """SELECT p.sku, s.store_name, i.stock_level FROM retail.inventory AS i
           JOIN retail.products AS p USING (product_id) JOIN retail.stores AS s USING (store_id)
           WHERE i.store_id = ANY ($1) ORDER BY 1, 2""",
        ids,
    )
    for product in answer["products"]:
        by_store = {store: level for sku, store, level in levels if sku == product["sku"]}
        assert product["stock"] == sum(by_store.values())
        assert product.get("stock_by_store") == (by_store if len(ids) > 1 else None)
    assert sum(product["stock"] for product in answer["products"]) > 0


async def test_a_product_is_shown_with_what_everybody_may_know_and_nothing_else(
    server_url: str, token_for: Callable[..., str]
) -> None:
    async with connected(server_url, token_for("store_manager", stores=["seattle"])) as client:
        answer = document(await client.call_tool("semantic_search_products", {"query_description": "HT-HAM-001"}))
        product = answer["products"][0]
        assert set(product) == {"sku", "name", "category", "type", "price", "description", "similarity", "stock"}
        assert (product["sku"], product["category"], product["type"]) == (
            "HT-HAM-001",
            "Hand Tools",
            "Hammers & Striking Tools",
        )
        assert 0 <= product["similarity"] <= 100


async def test_the_tool_states_its_bounds_and_takes_what_lies_beyond_with_a_notice(
    server_url: str, token_for: Callable[..., str]
) -> None:
    async with connected(server_url, token_for("super_admin")) as client:
        (tool,) = [tool for tool in (await client.list_tools()).tools if tool.name == "semantic_search_products"]
        properties = tool.input_schema["properties"]
        assert tool.input_schema["required"] == ["query_description"]
        bounds = [(properties[name]["default"], properties[name]["minimum"], properties[name]["maximum"])
                  for name in ("max_rows", "similarity_threshold")]  # fmt: skip
        assert bounds == [(20, 1, 100), (30.0, 0, 100)]
        arguments = {"query_description": "hammer", "max_rows": 1_000, "similarity_threshold": -1}
        answer = document(await client.call_tool("semantic_search_products", arguments))
        assert "max_rows is from 1 to 100, so 100 was taken." in answer["notice"]
        wrong = await client.call_tool("semantic_search_products", {"query_description": "hammer", "max_rows": "many"})
        assert wrong.is_error


async def test_the_timer_can_be_run_on_demand_by_the_hosts_own_address(server: Server) -> None:
    async with httpx2.AsyncClient(timeout=30) as http:
        address = f"{server.base_url}/admin/functions/refresh_embeddings"
        assert (await http.post(address, json={"input": ""})).status_code == 202
