"""Describes tables to a model: what the catalogue says, the caller's own stores, and how the tables are best queried.

The catalogue's part is the same for everybody and kept for ten minutes. The names and regions of stores are read with
every call, from the caller's own transaction, and are never kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from zava.data.retail_schema import RETAIL_SCHEMA, RETAIL_TABLES
from zava.data.schema_catalogue import Column, SchemaCatalogue, Table
from zava.data.tenant_context import TenantScope
from zava.data.tenant_stores import TenantStores
from zava.errors import ValidationError
from zava.platform.query_monitor import QueryMonitor

_MOST_STORES_NAMED = 50


@dataclass(frozen=True, slots=True)
class Advice:
    """How a table is best queried. The example runs as it is, and has rows in any store that has some."""

    example: str
    hints: tuple[str, ...] = ()


ADVICE: Mapping[str, Advice] = MappingProxyType(
    {
        "stores": Advice("SELECT store_name, region FROM stores ORDER BY store_name"),
        "customers": Advice(
            "SELECT date_trunc('month', created_at) AS month, count(*) AS new_customers FROM customers "
            "GROUP BY 1 ORDER BY 1 DESC LIMIT 12",
            ("Buyers of a period: count(DISTINCT customer_id) FROM orders.",),
        ),
        "categories": Advice(
            "SELECT category_name, count(*) AS products FROM categories JOIN products USING (category_id) GROUP BY 1"
        ),
        "product_types": Advice(
            "SELECT category_name, type_name FROM product_types JOIN categories USING (category_id) ORDER BY 1, 2"
        ),
        "products": Advice(
            "SELECT sku, product_name, base_price FROM products WHERE NOT discontinued ORDER BY 3 DESC LIMIT 10"
        ),
        "inventory": Advice(
            "SELECT store_name, sum(stock_level * cost) AS stock_value FROM inventory "
            "JOIN products USING (product_id) JOIN stores USING (store_id) GROUP BY 1"
        ),
        "orders": Advice(
            "SELECT store_name, date_trunc('month', order_date) AS month, sum(total_amount) AS revenue FROM orders "
            "JOIN stores USING (store_id) WHERE status IN ('completed', 'processing') GROUP BY 1, 2 ORDER BY 2 DESC, 1",
            ("A month: order_date >= '2026-03-01' AND order_date < '2026-04-01'.",),
        ),
        "order_items": Advice(
            "SELECT sku, product_name, sum(i.total_amount) AS revenue FROM order_items AS i "
            "JOIN orders AS o USING (order_id, store_id) JOIN products USING (product_id) "
            "WHERE o.status IN ('completed', 'processing') GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 10",
            ("Date, status and customer stand in orders.",),
        ),
        "product_description_embeddings": Advice(
            "SELECT embedding_model, count(*) AS products FROM product_description_embeddings GROUP BY 1",
            ("To find products by meaning, call semantic_search_products.",),
        ),
    }
)


class TableSchemas:
    def __init__(self, catalogue: SchemaCatalogue, stores: TenantStores, monitor: QueryMonitor) -> None:
        self._catalogue = catalogue
        self._stores = stores
        self._monitor = monitor

    async def describe(self, table_names: Sequence[str], scope: TenantScope, *, deadline: float) -> list[Table]:
        """The named tables, or all when none is named; names may carry the prefix `retail.`.

        Raises:
            ValidationError: a name is not a table; the hint lists those that are.
            DatabaseError: and its kin, as `TenantTransactions.open` lists them.
        """
        names = list(dict.fromkeys(name.strip().lower().removeprefix(f"{RETAIL_SCHEMA}.") for name in table_names))
        unknown = [name for name in names if name not in RETAIL_TABLES]
        if unknown:
            raise ValidationError(
                f"There is no table {', '.join(unknown)[:200]}.", f"The tables are: {', '.join(RETAIL_TABLES)}."
            )
        with self._monitor.watch("get_multiple_table_schemas"):
            known = await self._catalogue.tables()
            tables = [known[name] for name in names or RETAIL_TABLES]
            if all(table.name != "stores" for table in tables):
                return tables
            own = await self._stores.read(scope, deadline=deadline)
        values = {
            "store_name": tuple(store.name for store in own) if len(own) <= _MOST_STORES_NAMED else (),
            "region": tuple(sorted({store.region for store in own})),
        }
        return [_with_values(table, values) if table.name == "stores" else table for table in tables]


def _with_values(table: Table, values: Mapping[str, tuple[str, ...]]) -> Table:
    def filled(column: Column) -> Column:
        return replace(column, valid_values=values.get(column.name, column.valid_values))

    return replace(table, columns=tuple(filled(column) for column in table.columns))
