"""Whether anything was written: every row version of a database, tables and catalogue, in one number a table."""

from __future__ import annotations

import asyncpg

# Whatever changes a row, or locks it, changes its place or one of its transaction ids, even if the values stay. A
# sequence is changed in place and tells its value instead.
_EVERY_TABLE = """
SELECT string_agg(CASE c.relkind
    WHEN 'S' THEN format('SELECT %L AS name, last_value, is_called::int::numeric, 0, 0 FROM %1$s', c.oid::regclass)
    ELSE format('SELECT %L AS name, count(*), sum(hashtid(ctid)::bigint), sum(xmin::text::bigint), '
                'sum(xmax::text::bigint) FROM %1$s', c.oid::regclass) END, ' UNION ALL ' ORDER BY c.oid)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'S') AND n.nspname = ANY ($1) AND c.relname NOT LIKE 'pg_statistic%'
"""
OUR_SCHEMAS = ("retail", "zava", "guard")


class DatabaseState:
    """Takes what is written down at one moment, to be compared with another moment. Asks as superuser."""

    def __init__(self, superuser: asyncpg.Connection) -> None:
        self._superuser = superuser

    async def of_our_tables(self) -> dict[str, tuple[object, ...]]:
        """Row versions of every table in the product's own schemas."""
        return await self._row_versions(*OUR_SCHEMAS)

    async def of_everything(self) -> dict[str, tuple[object, ...]]:
        """Row versions of every table, PostgreSQL's own included: roles, settings, functions, large objects."""
        return await self._row_versions(*OUR_SCHEMAS, "public", "pg_catalog")

    async def write_position(self) -> str:
        """How far the write-ahead log reaches: as long as it stays, nobody on the server has written anything."""
        return str(await self._superuser.fetchval("SELECT pg_current_wal_insert_lsn()"))

    async def _row_versions(self, *schemas: str) -> dict[str, tuple[object, ...]]:
        query = await self._superuser.fetchval(_EVERY_TABLE, list(schemas))
        return {name: tuple(rest) for name, *rest in await self._superuser.fetch(query)}
