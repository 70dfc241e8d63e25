"""Describes tables to a model: what the catalogue says, and hints on how the tables are best queried."""

from __future__ import annotations

from collections.abc import Sequence

from zava.data.retail_schema import RETAIL_TABLES
from zava.data.schema_catalogue import SchemaCatalogue, Table
from zava.data.tenant_context import TenantScope
from zava.errors import ValidationError
from zava.platform.query_monitor import QueryMonitor

QUERY_HINTS: dict[str, tuple[str, ...]] = {
    "stores": ("Join any transactional table USING (store_id) to name the store.",),
    "customers": (
        "New customers of a period: filter created_at. Buyers of a period: join orders USING (customer_id).",
    ),
    "products": ("Join categories USING (category_id) and product_types USING (type_id) for names.",),
    "inventory": ("Stock value: sum(stock_level * cost), joined to products USING (product_id).",),
    "orders": (
        "Revenue: sum(total_amount) FILTER (WHERE status IN ('completed', 'processing')).",
        "Months: date_trunc('month', order_date). The time zone is UTC.",
    ),
    "order_items": (
        "Revenue by product: join orders USING (order_id, store_id) for date and status, products USING (product_id).",
    ),
    "product_description_embeddings": (
        "To find products by meaning, compare embeddings of one embedding_model with <=>.",
    ),
}


class TableSchemas:
    def __init__(self, catalogue: SchemaCatalogue, monitor: QueryMonitor) -> None:
        self._catalogue = catalogue
        self._monitor = monitor

    async def describe(self, table_names: Sequence[str], scope: TenantScope, *, deadline: float) -> list[Table]:
        """The named tables, or all when none is named; names may carry the prefix `retail.`.

        Raises:
            ValidationError: a name is not a table; the hint lists those that are.
        """
        names = list(dict.fromkeys(name.strip().lower().removeprefix("retail.") for name in table_names))
        unknown = [name for name in names if name not in RETAIL_TABLES]
        if unknown:
            raise ValidationError(
                f"There is no table {', '.join(unknown)[:200]}.", f"The tables are: {', '.join(RETAIL_TABLES)}."
            )
        with self._monitor.watch("get_multiple_table_schemas"):
            return await self._catalogue.tables(names or list(RETAIL_TABLES), scope, deadline=deadline)
