"""Who calls, and what is asked: tenants of every kind, and questions without end, some of which come again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.small_endpoint import handshake, tool
from zava.local.stores import STORES


@dataclass(frozen=True, slots=True)
class Caller:
    """`stores` are the slugs of those the caller may see."""

    name: str
    token: str
    stores: frozenset[str]

    def request(self, url: str, parameters: Mapping[str, Any]) -> httpx2.Request:
        message = handshake("tools/call", dict(parameters))
        headers = message.headers | {"authorization": f"Bearer {self.token}"}
        return httpx2.Request("POST", url, headers=headers, content=message.body)


def callers(mint: Callable[..., str]) -> list[Caller]:
    """Five store managers, a regional manager and head office. `mint` makes a token of claims."""
    found = [
        Caller(
            store.slug,
            mint(sub=store.slug, roles=["store_manager"], allowed_stores=[str(store.store_id)]),
            frozenset({store.slug}),
        )
        for store in STORES
        if store.slug in ("seattle", "tacoma", "spokane", "kirkland", "online")
    ]
    region = frozenset(store.slug for store in STORES if store.region == "puget-sound")
    everything = frozenset(store.slug for store in STORES)
    return [
        *found,
        Caller("Puget Sound", mint(sub="r", roles=["regional_manager"], allowed_regions=["puget-sound"]), region),
        Caller("head office", mint(sub="h", roles=["super_admin"]), everything),
    ]


@dataclass(frozen=True, slots=True)
class Question:
    """`telling`: its answer holds something of the caller's own stores, so that an empty one is a wrong one. `new`: no
    cache can have the answer."""

    parameters: Mapping[str, Any]
    telling: bool = False
    new: bool = False


NEW = SQL, SEARCH = "execute_sales_query", "semantic_search_products"
"""What new questions are asked with: SQL needs the reader's pool, a search both pools and the embedder, or a wait."""
_STATEMENTS = (
    "SELECT location, manager_id, store_id FROM stores",
    "SELECT email, phone FROM customers ORDER BY created_at DESC, email LIMIT 20",
    "SELECT o.order_id, sum(i.total_amount) FROM orders AS o JOIN order_items AS i USING (order_id) "
    "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20",
    "SELECT max(stock_level), min(stock_level), count(*) FROM inventory",
)
_REPEATED = 12
"""Every other SQL is one of so many that come again: those are answered from the cache, if from anywhere."""


def questions() -> itertools.chain[Question]:
    """Without end: SQL that was never asked before, SQL that was, and the other tools."""
    return itertools.chain.from_iterable(_round(number) for number in itertools.count())


def _round(number: int) -> Sequence[Question]:
    new, known = (_STATEMENTS[(number + offset) % len(_STATEMENTS)] for offset in (0, 1))
    # A text has its vector once, so that every search is for another one.
    search = tool(SEARCH, query_description=f"a hammer to hang {number} pictures", max_rows=5)
    performance = tool("get_store_performance", time_period="last_30_days")
    schema = tool("get_multiple_table_schemas", table_names=["orders", "stores"])
    return (
        Question(sql(f"{new} -- {number}"), telling=True, new=True),
        Question(search, new=True),
        Question(sql(f"{known} -- known {number % _REPEATED}"), telling=True),
        Question(performance if number % 2 else schema),
    )


def sql(statement: str) -> dict[str, Any]:
    return tool(SQL, postgresql_query=statement)
