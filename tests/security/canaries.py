"""Values planted in every tenant's rows that betray their owner wherever they turn up.

Each store gets, in each of the five tenant tables, rows whose texts, identifiers and amounts occur nowhere else. The
natural identifiers and addresses of all other rows are known too, so that any row of any table is recognised.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

import asyncpg

from zava.local.stores import STORES, SampleStore

TENANT_TABLES = ("order_items", "orders", "inventory", "customers", "stores")  # children first

# What a canary looks like in any text: a UUID, a tag (alone or in an address), an address, the key's pads in hex, a
# number. The looks behind keep the search linear in texts of a megabyte of one letter.
_TOKENS = re.compile(
    r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|zq[0-9a-f]{14}|(?<![a-z.])[a-z.]{3,40}\d{1,6}@example\.com"
    r"|[0-9a-f]{128}|(?<![\d.])\d{1,12}\.\d{1,2}(?!\d)|(?<![\d.])\d{9,12}(?!\d)"
)


@dataclass(frozen=True, slots=True)
class Canary:
    """What is planted for one store. Amounts and counts are large and odd, so that they are never met by accident."""

    tag: str
    manager_id: UUID
    customer_id: UUID
    order_id: UUID
    item_ids: tuple[UUID, UUID]
    stock_level: int
    quantity: int
    unit_price: Decimal
    discount_amount: Decimal

    @classmethod
    def of(cls, store: SampleStore) -> Canary:
        number = [each.slug for each in STORES].index(store.slug)
        digest = hashlib.sha256(f"canary of {store.slug}".encode()).hexdigest()
        return cls(
            tag=f"zq{digest[:14]}",
            manager_id=_identifier(store, "manager"),
            customer_id=_identifier(store, "customer"),
            order_id=_identifier(store, "order"),
            item_ids=(_identifier(store, "many pieces"), _identifier(store, "a dear piece")),
            stock_level=161_803_399 + number * 1_000_003,
            quantity=104_729_017 + number * 1_000_003,
            unit_price=Decimal("27182818.29") + number * Decimal("10007.02"),
            discount_amount=Decimal("31415.93") + number * Decimal("17.02"),
        )

    @property
    def email(self) -> str:
        return f"{self.tag}@example.com"

    @property
    def dear_amount(self) -> Decimal:
        """total_amount of the second line."""
        return self.unit_price - self.discount_amount

    @property
    def many_amount(self) -> Decimal:
        """total_amount of the first line, at one dollar thirteen a piece."""
        return self.quantity * _CHEAP

    @property
    def total_amount(self) -> Decimal:
        """total_amount of the order."""
        return self.many_amount + self.dear_amount

    @property
    def texts(self) -> frozenset[str]:
        """The canary as `_TOKENS` finds it in a text; amounts also as a double prints them, without a last zero."""
        values = (
            *(self.tag, self.manager_id, self.customer_id, self.order_id, *self.item_ids, self.stock_level),
            *(self.quantity, self.unit_price, self.discount_amount, self.dear_amount, self.many_amount),
            self.total_amount,
        )
        return frozenset(text for value in values for text in (str(value), str(value).removesuffix("0")))


_CHEAP = Decimal("1.13")


def _identifier(store: SampleStore, of_what: str) -> UUID:
    return UUID(hashlib.sha256(f"{of_what} of {store.slug}".encode()).hexdigest()[:32], version=4)


CANARIES: Mapping[str, Canary] = {store.slug: Canary.of(store) for store in STORES}


async def plant(superuser: asyncpg.Connection) -> None:
    """Give every store its canaries, in every tenant table; statistics are brought up to date and then kept."""
    async with superuser.transaction():
        (product,) = await superuser.fetch("SELECT product_id FROM retail.products ORDER BY sku LIMIT 1")
        for store in STORES:
            await _plant_store(superuser, store, CANARIES[store.slug], product[0])
        for table in TENANT_TABLES:
            await superuser.execute(f"ALTER TABLE retail.{table} SET (autovacuum_enabled = false)")
    await superuser.execute("ANALYZE")


async def _plant_store(superuser: asyncpg.Connection, store: SampleStore, canary: Canary, product_id: UUID) -> None:
    await superuser.execute(
        "UPDATE retail.stores SET manager_id = $2, location = location || ' ' || $3 WHERE store_id = $1",
        store.store_id,
        canary.manager_id,
        canary.tag,
    )
    await superuser.execute(
        "INSERT INTO retail.customers VALUES ($1, $2, $3, $3, $4, $3, now() - interval '40 days')",
        *(canary.customer_id, store.store_id, canary.tag, canary.email),
    )
    await superuser.execute(
        """INSERT INTO retail.inventory VALUES ($1, $2, $3)
           ON CONFLICT (store_id, product_id) DO UPDATE SET stock_level = excluded.stock_level""",
        *(store.store_id, product_id, canary.stock_level),
    )
    await superuser.execute(
        "INSERT INTO retail.orders VALUES ($1, $2, $3, now() - interval '33 days', $4, 'completed')",
        *(canary.order_id, canary.customer_id, store.store_id, canary.total_amount),
    )
    lines = (
        (canary.item_ids[0], canary.quantity, _CHEAP, Decimal(0), canary.many_amount),
        (canary.item_ids[1], 1, canary.unit_price, canary.discount_amount, canary.dear_amount),
    )
    for item_id, quantity, unit_price, discount, amount in lines:
        await superuser.execute(
            "INSERT INTO retail.order_items VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8)",
            *(item_id, canary.order_id, store.store_id, product_id, quantity, unit_price, discount, amount),
        )


async def remove_other_stores(superuser: asyncpg.Connection, keep: UUID) -> None:
    """Delete every row of every other store, and nothing else.

    There is no vacuum afterwards: tables keep their size and statistics, so a tenant's query has the same plan as where
    the other stores are, and the answers can be compared to the last digit and in their order.
    """
    async with superuser.transaction():
        for table in TENANT_TABLES:
            await superuser.execute(f"DELETE FROM retail.{table} WHERE store_id <> $1", keep)


class Evidence:
    """Finds, in any text, what belongs to a tenant who should not be in it.

    `owners` maps each telling text to the store it belongs to; the pads of the signing keys belong to nobody.
    """

    def __init__(self, owners: Mapping[str, str]) -> None:
        self._owners = owners

    @classmethod
    async def collect(cls, superuser: asyncpg.Connection) -> Evidence:
        """All canaries and natural identifiers of a planted database, and its keys' pads."""
        slugs = {store.store_id: store.slug for store in STORES}
        owners = {text: slug for slug, canary in CANARIES.items() for text in canary.texts}
        owners |= {str(store.store_id): store.slug for store in STORES}
        for statement in (
            "SELECT store_id, customer_id::text FROM retail.customers",
            "SELECT store_id, email FROM retail.customers",
            "SELECT store_id, order_id::text FROM retail.orders",
            "SELECT store_id, order_item_id::text FROM retail.order_items",
        ):
            owners |= {text: slugs[store_id] for store_id, text in await superuser.fetch(statement)}
        for pads in await superuser.fetch(
            "SELECT encode(inner_pad, 'hex'), encode(outer_pad, 'hex') FROM guard.context_key"
        ):
            owners |= dict.fromkeys(pads, "the signing key")
        return cls(owners)

    def of_others(self, text: str, *own: str, asked: str = "") -> frozenset[str]:
        """Owners, other than the stores `own`, of something in `text` that is not already in what was `asked`."""
        found = set(_TOKENS.findall(text.lower())) - set(_TOKENS.findall(asked.lower()))
        return frozenset(owner for token in found if (owner := self._owners.get(token)) and owner not in own)

    def owners(self, text: str) -> frozenset[str]:
        """Owners of everything in `text`."""
        return self.of_others(text)
