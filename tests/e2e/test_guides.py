"""Resources, prompts and completions through the official SDK client over HTTP, in every mode."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import PromptReference, ResourceTemplateReference, TextContent, TextResourceContents

from tests.e2e.test_clients import MODES, connected


@pytest.mark.parametrize("mode", MODES)
async def test_a_store_manager_finds_reads_completes_and_gets_what_is_theirs(
    mode: str, server_url: str, token_for: Callable[..., str]
) -> None:
    async with connected(server_url, token_for("store_manager", stores=["seattle"]), mode) as client:
        assert {str(each.uri) for each in (await client.list_resources()).resources} >= {
            "zava://schema",
            "zava://stores",
        }
        (template,) = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "zava://schema/{table}"
        (stores,) = (await client.read_resource("zava://stores")).contents
        assert isinstance(stores, TextResourceContents)
        assert json.loads(stores.text) == {
            "stores": [
                {
                    "store_id": "f47ac10b-58cc-4372-a567-0e02b2c3d479",
                    "name": "Zava Retail Seattle",
                    "location": "Seattle, WA",
                    "region": "puget-sound",
                    "is_online": False,
                }
            ]
        }
        (orders,) = (await client.read_resource("zava://schema/orders")).contents
        assert isinstance(orders, TextResourceContents)
        assert (orders.mime_type, "order_date timestamptz" in orders.text) == ("text/plain", True)

        prompts = {each.name: each for each in (await client.list_prompts()).prompts}
        assert {name: [each.name for each in prompt.arguments or ()] for name, prompt in prompts.items()} == {
            "monthly_review": ["month", "store"],
            "compare_stores": ["period", "region"],
            "find_products": ["need", "category", "store"],
            "stock_check": ["category", "product_type", "store"],
        }
        review = PromptReference(type="ref/prompt", name="monthly_review")
        found = await client.complete(review, {"name": "store", "value": "za"})
        assert (found.completion.values, found.completion.total) == (["Zava Retail Seattle"], 1)
        schema = ResourceTemplateReference(type="ref/resource", uri="zava://schema/{table}")
        found = await client.complete(schema, {"name": "table", "value": "order_"})
        assert found.completion.values == ["order_items"]
        (message,) = (await client.get_prompt("monthly_review", {"month": "2026-03"})).messages
        assert isinstance(message.content, TextContent)
        assert message.content.text.startswith("Write the monthly review of my sales for 2026-03.")

        with pytest.raises(MCPError, match=r"You have no store 'Tacoma'\. Choose one of: Zava Retail Seattle\."):
            await client.get_prompt("monthly_review", {"store": "Tacoma"})
        with pytest.raises(MCPError, match="There is no such resource"):
            await client.read_resource("zava://customers")


async def test_lists_and_reads_are_cached_by_the_caller_alone(server_url: str, token_for: Callable[..., str]) -> None:
    async with connected(server_url, token_for("super_admin"), "2026-07-28") as client:
        answers = (
            await client.list_resources(),
            await client.list_resource_templates(),
            await client.list_prompts(),
            await client.read_resource("zava://stores"),
        )
    assert [(each.cache_scope, (each.ttl_ms or 0) > 0) for each in answers] == [("private", True)] * 4
