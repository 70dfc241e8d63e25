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

LARGE_COLUMNS: Final[Mapping[str, float]] = MappingProxyType(
    {"product_description": 400.0, "description_embedding": 20_000.0}
)
"""Bytes of a text column that is longer than the usual, and of a vector written out."""

TABLE_ROWS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "stores": 10.0,
        "categories": 10.0,
        "product_types": 100.0,
        "products": 1_000.0,
        "product_description_embeddings": 1_000.0,
        "inventory": 5_000.0,
        "customers": 10_000.0,
        "orders": 40_000.0,
        "order_items": 100_000.0,
    }
)
"""Rows that an honest query of head office puts into one group or list: a fifth of the largest tables."""
