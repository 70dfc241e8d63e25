"""Whether anything was written: every row version of a database, tables and catalogue, in one number a table."""

from __future__ import annotations

import asyncpg

# Whatever changes a row, or locks it, changes its place or one of its transaction ids, even if the values stay. A
# sequence is changed in place and tells its value instead.
_EVERY_TABLE = """
SELECT string_agg(CASE c.relkind
    WHEN 'S' THEN format('SELECT %L AS name, last_value, is_called::int::numeric, 0, 0 FROM %1$s', name)
    ELSE format('SELECT %L AS name, count(*), sum(hashtid(ctid)::bigint), sum(xmin::text::bigint), '
                'sum(xmax::text::bigint) FROM %1$s', name) END, ' UNION ALL ' ORDER BY c.oid)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace, format('%I.%I', n.nspname, c.relname) AS name
WHERE c.relkind IN ('r', 'S') AND n.nspname = ANY ($1) AND c.relname NOT LIKE 'pg_statistic%'
"""


class DatabaseState:
    """What is written down in one database, to be compared with a moment later. Asks as superuser."""

    def __init__(self, superuser: asyncpg.Connection) -> None:
        self._superuser = superuser
        self._position = ""
        self._versions: dict[str, tuple[object, ...]] = {}

    @classmethod
    async def now(cls, superuser: asyncpg.Connection) -> DatabaseState:
        state = cls(superuser)
        await state.changes()
        return state

    async def changes(self) -> frozenset[str]:
        """Names of the tables, PostgreSQL's own included, in which something was written since the last time."""
        # As long as the write-ahead log stays where it is, nobody on the whole server has written anything.
        position = str(await self._superuser.fetchval("SELECT pg_current_wal_insert_lsn()"))
        if position == self._position:
            return frozenset()
        query = await self._superuser.fetchval(_EVERY_TABLE, ["retail", "zava", "guard", "public", "pg_catalog"])
        before, self._position = self._versions, position
        self._versions = {name: tuple(rest) for name, *rest in await self._superuser.fetch(query)}
        names = self._versions.keys() | before.keys()
        return frozenset(name for name in names if self._versions.get(name) != before.get(name))
