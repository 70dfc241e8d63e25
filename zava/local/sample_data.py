"""Loads the sample data by COPY, in one transaction, with a progress bar."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import asyncpg
from tqdm import tqdm

from zava.data.administration import AdministratorConnection
from zava.local.sample_rows import Product, SampleGenerator, SampleSize

_COST_SHARE = 67  # cost is 67 % of the list price, so the margin is 33 %
_TENANT_TABLES = ("stores", "customers", "inventory", "orders", "order_items")


async def load(administrator: AdministratorConnection, *, scale: float, last_day: dt.date, seed: int = 1) -> int:
    """Load the sample in one transaction, with a progress bar on standard error. Returns the number of rows.

    FORCE ROW LEVEL SECURITY refuses COPY even to the owner: it is lifted inside the transaction that loads, so that
    no other session ever sees a table without it.
    """
    size = SampleSize.of_scale(scale)
    generator = SampleGenerator(size, last_day, seed)
    connection = await administrator.open()
    bar: tqdm[Any] = tqdm(
        total=size.customers + size.orders * 3, unit=" rows", desc="Sample data", unit_scale=True, leave=False
    )
    rows = 0
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL ROLE zava_owner")
            for table in _TENANT_TABLES:
                await connection.execute(f"ALTER TABLE retail.{table} NO FORCE ROW LEVEL SECURITY")
            put_back = await _set_aside_indexes_and_foreign_keys(connection)
            rows += await _load_catalogue(connection, generator.products)
            for table, lines in (
                ("stores", generator.stores()),
                ("customers", generator.customers()),
                ("inventory", generator.inventory()),
            ):
                rows += await _copy(connection, table, lines, bar)
            for orders, items in generator.orders():
                rows += await _copy(connection, "orders", orders, bar)
                rows += await _copy(connection, "order_items", items, bar)
            for statement in put_back:
                await connection.execute(statement)
            for table in _TENANT_TABLES:
                await connection.execute(f"ALTER TABLE retail.{table} FORCE ROW LEVEL SECURITY")
        await connection.execute("SET ROLE zava_owner")
        for table in (*_TENANT_TABLES, "categories", "product_types", "products"):
            # VACUUM also marks pages as all visible, without which no answer comes from an index alone.
            await connection.execute(f"VACUUM (ANALYZE) retail.{table}")
    finally:
        bar.close()
        await connection.close()
    return rows


async def _set_aside_indexes_and_foreign_keys(connection: asyncpg.Connection) -> list[str]:
    """Drop what is kept row by row, and return the statements that bring it back: in bulk that is cheaper."""
    keys = await connection.fetch(
        """SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS away,
                  format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
                         pg_get_constraintdef(oid)) AS back
           FROM pg_constraint WHERE connamespace = 'retail'::regnamespace AND contype = 'f'
             AND conrelid::regclass::text = ANY ($1)""",
        [f"retail.{table}" for table in _TENANT_TABLES],
    )
    indexes = await connection.fetch(
        """SELECT format('DROP INDEX retail.%I', indexname) AS away, indexdef AS back FROM pg_indexes AS i
           WHERE schemaname = 'retail' AND tablename = ANY ($1)
             AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conname = i.indexname)""",
        list(_TENANT_TABLES),
    )
    for row in (*keys, *indexes):
        await connection.execute(row["away"])
    return [row["back"] for row in (*indexes, *keys)]


async def _load_catalogue(connection: asyncpg.Connection, products: Sequence[Product]) -> int:
    categories = list(dict.fromkeys(product.category for product in products))
    types = list(dict.fromkeys((product.category, product.type_name) for product in products))
    await connection.execute("INSERT INTO retail.categories (category_name) SELECT unnest($1::text[])", categories)
    await connection.execute(
        """INSERT INTO retail.product_types (category_id, type_name)
           SELECT c.category_id, t.type_name
           FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t (category, type_name, position)
           JOIN retail.categories AS c ON c.category_name = t.category ORDER BY t.position""",
        [category for category, _ in types],
        [name for _, name in types],
    )
    await connection.executemany(
        """INSERT INTO retail.products (product_id, sku, product_name, category_id, type_id, cost, base_price,
                                        gross_margin_percent, product_description)
           SELECT $1, $2, $3, t.category_id, t.type_id, $6::bigint / 100.0, $7::bigint / 100.0,
                  round(($7::bigint - $6::bigint) * 100.0 / $7::bigint, 2), $8
           FROM retail.product_types AS t JOIN retail.categories AS c USING (category_id)
           WHERE c.category_name = $4 AND t.type_name = $5""",
        [
            (p.product_id, p.sku, p.name, p.category, p.type_name, p.price * _COST_SHARE // 100, p.price, p.description)
            for p in products
        ],
    )
    return len(categories) + len(types) + len(products)


async def _copy(connection: asyncpg.Connection, table: str, lines: Iterable[str], bar: tqdm[Any]) -> int:
    rows = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal rows
        remaining = iter(lines)
        while batch := list(itertools.islice(remaining, 2_000)):
            rows += len(batch)
            bar.update(len(batch))
            yield "".join(batch).encode()

    await connection.copy_to_table(table, schema_name="retail", source=chunks(), format="csv")
    return rows
