"""What a reader may see: the tables of schema `retail` and their columns.

The SQL policy resolves every relation and column against this mapping, the schema tools list it, and an integration
test compares it with a migrated database. Types are those of `format_type(atttypid, NULL)`: without length, precision
or dimensions. A table or column that is not here does not exist for a tenant. The proof of isolation holds the database
against the same lists: whose rows are a tenant's own, and which tables everybody may read.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

RETAIL_SCHEMA: Final = "retail"
TENANT_KEY: Final = "store_id"
"""The column that says whose a row is; row security compares it with the signed context."""

_TIMESTAMP: Final = "timestamp with time zone"

_COLUMNS: Final[dict[str, dict[str, str]]] = {
    "stores": {
        "store_id": "uuid",
        "store_name": "text",
        "location": "text",
        "region": "text",
        "is_online": "boolean",
        "manager_id": "uuid",
        "created_at": _TIMESTAMP,
    },
    "customers": {
        "customer_id": "uuid",
        "store_id": "uuid",
        "first_name": "text",
        "last_name": "text",
        "email": "text",
        "phone": "text",
        "created_at": _TIMESTAMP,
    },
    "categories": {"category_id": "integer", "category_name": "text"},
    "product_types": {"type_id": "integer", "category_id": "integer", "type_name": "text"},
    "products": {
        "product_id": "uuid",
        "sku": "text",
        "product_name": "text",
        "category_id": "integer",
        "type_id": "integer",
        "cost": "numeric",
        "base_price": "numeric",
        "gross_margin_percent": "numeric",
        "product_description": "text",
        "discontinued": "boolean",
        "updated_at": _TIMESTAMP,
    },
    "inventory": {"store_id": "uuid", "product_id": "uuid", "stock_level": "integer", "updated_at": _TIMESTAMP},
    "orders": {
        "order_id": "uuid",
        "customer_id": "uuid",
        "store_id": "uuid",
        "order_date": _TIMESTAMP,
        "total_amount": "numeric",
        "status": "text",
    },
    "order_items": {
        "order_item_id": "uuid",
        "order_id": "uuid",
        "store_id": "uuid",
        "product_id": "uuid",
        "quantity": "integer",
        "unit_price": "numeric",
        "discount_percent": "integer",
        "discount_amount": "numeric",
        "total_amount": "numeric",
    },
    "product_description_embeddings": {
        "product_id": "uuid",
        "embedding_model": "text",
        "description_embedding": "vector",
        "content_hash": "text",
        "last_updated": _TIMESTAMP,
    },
}

RETAIL_TABLES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {table: MappingProxyType(columns) for table, columns in _COLUMNS.items()}
)

SHARED_TABLES: Final = frozenset({"categories", "product_types", "products", "product_description_embeddings"})
"""Named one by one: a table without a tenant key that is not named here stops the server (`isolation_proof`)."""

TENANT_TABLES: Final = tuple(table for table in RETAIL_TABLES if table not in SHARED_TABLES)
