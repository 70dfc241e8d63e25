"""What the tables look like: columns, keys and comments from PostgreSQL's own catalogue.

Nothing here depends on the caller, so one copy serves everybody. It is read by the app login, which sees no tenant row
at all: whatever is added to these statements, a tenant's value cannot get into the copy.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zava.data.app_transaction import app_transaction
from zava.data.pools import Pools
from zava.data.repeated_read import repeated_read
from zava.data.retail_schema import RETAIL_SCHEMA, RETAIL_TABLES

_FRESH_SECONDS = 600.0
_TIMEOUT_SECONDS = 5.0
_MOST_VALUES = 100

_COLUMNS = """
SELECT c.relname AS table_name, obj_description(c.oid, 'pg_class') AS description, a.attname AS column_name,
       replace(format_type(a.atttypid, NULL), 'timestamp with time zone', 'timestamptz') AS type,
       NOT a.attnotnull AS nullable, col_description(c.oid, a.attnum) AS comment,
       EXISTS (SELECT FROM pg_constraint AS p
                WHERE p.conrelid = c.oid AND p.contype = 'p' AND a.attnum = ANY (p.conkey)) AS primary_key
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = $2::text::regnamespace AND c.relkind = 'r' AND c.relname = ANY ($1)
ORDER BY array_position($1, c.relname::text), a.attnum
"""

# The column names of a foreign key are the same on both sides, all over the schema.
_FOREIGN_KEYS = """
SELECT c.relname AS table_name, p.relname AS parent,
       array(SELECT a.attname::text FROM unnest(f.conkey) WITH ORDINALITY AS k (number, position)
             JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number ORDER BY k.position) AS columns
FROM pg_constraint AS f JOIN pg_class AS c ON c.oid = f.conrelid JOIN pg_class AS p ON p.oid = f.confrelid
WHERE f.contype = 'f' AND c.relnamespace = $1::text::regnamespace
ORDER BY cardinality(f.conkey), p.relname
"""

# Values from constraints of the form CHECK (column IN ('a', 'b')), and from the two tables that are the same for all.
_VALUES = """
SELECT c.relname AS table_name, a.attname AS column_name,
       array(SELECT m[1] FROM regexp_matches(pg_get_constraintdef(k.oid), $$'([^']*)'::text$$, 'g') AS m) AS values
FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
     JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
WHERE k.contype = 'c' AND c.relnamespace = $2::text::regnamespace AND cardinality(k.conkey) = 1
      AND pg_get_constraintdef(k.oid) LIKE '%= ANY (ARRAY[%'
UNION ALL
SELECT 'categories', 'category_name', array(SELECT category_name FROM retail.categories ORDER BY 1 LIMIT $1)
UNION ALL
SELECT 'product_types', 'type_name', array(SELECT DISTINCT type_name FROM retail.product_types ORDER BY 1 LIMIT $1)
"""

_TYPES = """
SELECT category_name,
       array(SELECT type_name FROM retail.product_types AS t WHERE t.category_id = c.category_id ORDER BY 1)
FROM retail.categories AS c
"""


@dataclass(frozen=True, slots=True)
class Column:
    """`references` is the table a foreign key points to; `valid_values` are all, or none when they are many."""

    name: str
    type: str
    nullable: bool
    primary_key: bool
    references: str | None
    description: str
    valid_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """`joins` are the ends of JOIN clauses along the foreign keys: `stores USING (store_id)`."""

    name: str
    description: str
    columns: tuple[Column, ...]
    joins: tuple[str, ...]


class SchemaCatalogue:
    """All tables of schema `retail`, read again when the copy is older than ten minutes."""

    def __init__(self, pools: Pools, clock: Callable[[], float] = time.monotonic) -> None:
        self._pools = pools
        self._clock = clock
        self._tables: Mapping[str, Table] = {}
        self._types: Mapping[str, tuple[str, ...]] = {}
        self._read_at = float("-inf")

    async def tables(self) -> Mapping[str, Table]:
        """Every table by its name.

        Raises:
            DatabaseError: and its kin, as `app_transaction` lists them, when there is no fresh copy.
        """
        await self._refresh()
        return self._tables

    async def product_types(self) -> Mapping[str, tuple[str, ...]]:
        """The names of every category's types.

        Raises:
            DatabaseError: as in `tables`.
        """
        await self._refresh()
        return self._types

    async def _refresh(self) -> None:
        if self._clock() - self._read_at >= _FRESH_SECONDS:
            self._tables, self._types = await repeated_read(self._read)
            self._read_at = self._clock()

    async def _read(self) -> tuple[Mapping[str, Table], Mapping[str, tuple[str, ...]]]:
        async with app_transaction(self._pools, statement_seconds=_TIMEOUT_SECONDS) as connection:
            rows = await connection.fetch(_COLUMNS, list(RETAIL_TABLES), RETAIL_SCHEMA)
            keys = await connection.fetch(_FOREIGN_KEYS, RETAIL_SCHEMA)
            found = await connection.fetch(_VALUES, _MOST_VALUES + 1, RETAIL_SCHEMA)
            types = {category: tuple(names) for category, names in await connection.fetch(_TYPES)}
        references: dict[tuple[str, str], str] = {}
        joins: defaultdict[str, list[str]] = defaultdict(list)
        for table, parent, columns in keys:
            references.setdefault((table, columns[0]), parent)
            joins[table].append(f"{parent} USING ({', '.join(columns)})")
        values = {(table, column): tuple(several) for table, column, several in found if len(several) <= _MOST_VALUES}
        tables: dict[str, tuple[str, list[Column]]] = {}
        for row in rows:
            _, columns = tables.setdefault(row["table_name"], (row["description"] or "", []))
            place = (row["table_name"], row["column_name"])
            columns.append(
                Column(
                    name=row["column_name"],
                    type=row["type"],
                    nullable=row["nullable"],
                    primary_key=row["primary_key"],
                    references=references.get(place),
                    description=row["comment"] or "",
                    valid_values=values.get(place, ()),
                )
            )
        described = {
            name: Table(name, description, tuple(columns), tuple(joins[name]))
            for name, (description, columns) in tables.items()
        }
        return described, types
