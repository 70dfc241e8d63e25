"""What the tables look like: columns, keys and comments from PostgreSQL's own catalogue, read by the reader login.

Nothing here depends on the caller but the names of the stores, which come from a tenant transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from zava.data.repeated_read import repeated_read
from zava.data.tenant_context import TenantScope
from zava.data.tenant_transaction import TenantTransactions

_TIMEOUT_SECONDS = 5.0

_TABLES = """
SELECT c.relname AS table_name, obj_description(c.oid, 'pg_class') AS description,
       a.attname AS column_name, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
       col_description(c.oid, a.attnum) AS comment,
       EXISTS (SELECT FROM pg_constraint AS p
                WHERE p.conrelid = c.oid AND p.contype = 'p' AND a.attnum = ANY (p.conkey)) AS primary_key,
       (SELECT f.confrelid::regclass::text FROM pg_constraint AS f
         WHERE f.conrelid = c.oid AND f.contype = 'f' AND a.attnum = f.conkey[1] ORDER BY cardinality(f.conkey) LIMIT 1)
           AS foreign_table
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'retail'::regnamespace AND c.relkind = 'r' AND c.relname = ANY ($1)
ORDER BY array_position($1, c.relname::text), a.attnum
"""

_VALID_VALUES = {
    ("stores", "store_name"): "SELECT store_name FROM retail.stores ORDER BY 1",
    ("stores", "region"): "SELECT DISTINCT region FROM retail.stores ORDER BY 1",
    ("categories", "category_name"): "SELECT category_name FROM retail.categories ORDER BY 1",
    ("product_types", "type_name"): "SELECT type_name FROM retail.product_types ORDER BY 1",
    ("orders", "status"): "VALUES ('completed'), ('processing'), ('returned'), ('cancelled')",
}


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    nullable: bool
    primary_key: bool
    references: str | None
    description: str
    valid_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    description: str
    columns: tuple[Column, ...]


class SchemaCatalogue:
    def __init__(self, transactions: TenantTransactions) -> None:
        self._transactions = transactions

    async def tables(self, names: Sequence[str], scope: TenantScope, *, deadline: float) -> list[Table]:
        """The named tables of schema `retail`, in the order asked; valid values are those within `scope`.

        Raises:
            DatabaseError: and its kin, as `TenantTransactions.open` lists them.
        """
        rows, values = await repeated_read(lambda: self._read(names, scope, deadline), deadline=deadline)
        tables: dict[str, tuple[str, list[Column]]] = {}
        for row in rows:
            _, columns = tables.setdefault(row["table_name"], (row["description"] or "", []))
            columns.append(
                Column(
                    name=row["column_name"],
                    type=row["type"],
                    nullable=row["nullable"],
                    primary_key=row["primary_key"],
                    references=row["foreign_table"],
                    description=row["comment"] or "",
                    valid_values=values.get((row["table_name"], row["column_name"]), ()),
                )
            )
        return [Table(name, description, tuple(columns)) for name, (description, columns) in tables.items()]

    async def _read(
        self, names: Sequence[str], scope: TenantScope, deadline: float
    ) -> tuple[list[asyncpg.Record], dict[tuple[str, str], tuple[str, ...]]]:
        async with self._transactions.open(scope, timeout_seconds=_TIMEOUT_SECONDS, deadline=deadline) as connection:
            rows = await connection.fetch(_TABLES, list(names))
            values = {
                key: tuple(row[0] for row in await connection.fetch(query))
                for key, query in _VALID_VALUES.items()
                if key[0] in names
            }
        return rows, values
