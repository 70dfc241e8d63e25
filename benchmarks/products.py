"""More products than the sample has: its own, numbered."""

from __future__ import annotations

import asyncpg

_ADD = """
INSERT INTO retail.products (product_id, sku, product_name, category_id, type_id, cost, base_price,
                             gross_margin_percent, product_description)
SELECT gen_random_uuid(), 'BENCH-' || n, p.product_name || ' ' || n, p.category_id, p.type_id, 1, 2, 50,
       p.product_description
FROM (SELECT *, row_number() OVER () - 1 AS place, count(*) OVER () AS many FROM retail.products) AS p
JOIN generate_series(1, $1::int) AS n ON n % p.many = p.place
RETURNING product_id
"""


async def add_products(connection: asyncpg.Connection, number: int) -> list[object]:
    """Add so many, and return their ids."""
    ids: list[object] = [row[0] for row in await connection.fetch(_ADD, number)]
    await connection.execute("VACUUM ANALYZE retail.products")
    return ids
