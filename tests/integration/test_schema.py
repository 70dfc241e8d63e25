"""The migrated database: what stands in it, who owns it, and who may do what."""

from __future__ import annotations

import asyncpg

from tests.conftest import Database
from zava.data.administration import prepare_roles
from zava.data.migrate import migrate
from zava.data.retail_schema import RETAIL_TABLES, TENANT_TABLES


async def test_the_database_holds_exactly_the_columns_the_policy_knows(oracle: asyncpg.Connection) -> None:
    rows = await oracle.fetch(
        """SELECT c.relname, a.attname, format_type(a.atttypid, NULL)
           FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
           WHERE c.relnamespace = 'retail'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f') AND a.attnum > 0"""
    )
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        found.setdefault(table, {})[column] = kind
    assert found == {table: dict(columns) for table, columns in RETAIL_TABLES.items()}


async def test_every_table_and_column_has_a_comment(oracle: asyncpg.Connection) -> None:
    without = await oracle.fetch(
        """SELECT c.relname, a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
           WHERE c.relnamespace = 'retail'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
             AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)"""
    )
    assert [tuple(row) for row in without] == []


async def test_every_table_with_a_store_id_has_row_security_enabled_and_forced(oracle: asyncpg.Connection) -> None:
    rows = await oracle.fetch(
        """SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
                  (SELECT count(*) FROM pg_policy AS p WHERE p.polrelid = c.oid)
           FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
           WHERE c.relnamespace = 'retail'::regnamespace AND c.relkind = 'r' AND a.attname = 'store_id' ORDER BY 1"""
    )
    assert [tuple(row) for row in rows] == [(table, True, True, 1) for table in sorted(TENANT_TABLES)]


async def test_the_four_roles_are_what_the_design_says(oracle: asyncpg.Connection) -> None:
    rows = await oracle.fetch(
        """SELECT rolname, rolcanlogin, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication,
                  (SELECT array_agg(g.rolname::text) FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid
                    WHERE m.member = r.oid)
           FROM pg_roles AS r WHERE rolname LIKE 'zava%' AND rolname <> 'zava_admin' ORDER BY 1"""
    )
    assert [tuple(row) for row in rows] == [
        ("zava_app", True, False, None),
        ("zava_guard", False, False, None),
        ("zava_owner", False, False, None),
        ("zava_reader", True, False, None),
    ]


async def test_the_reader_may_select_from_the_nine_tables_and_nothing_else(oracle: asyncpg.Connection) -> None:
    rows = await oracle.fetch(
        """SELECT n.nspname || '.' || c.relname, array_agg(p.privilege ORDER BY p.privilege)
           FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
           CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'])
               AS p (privilege)
           WHERE n.nspname IN ('retail', 'zava', 'guard') AND c.relkind IN ('r', 'S', 'v', 'm')
             AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege('zava_reader', c.oid, 'USAGE')
                      ELSE has_table_privilege('zava_reader', c.oid, p.privilege) END
           GROUP BY 1 ORDER BY 1"""
    )
    assert [tuple(row) for row in rows] == [(f"retail.{table}", ["SELECT"]) for table in sorted(RETAIL_TABLES)]


async def test_the_app_login_sees_no_tenant_row_and_writes_only_embeddings_and_call_rates(
    oracle: asyncpg.Connection,
) -> None:
    rows = await oracle.fetch(
        """SELECT n.nspname || '.' || c.relname, array_agg(p.privilege ORDER BY p.privilege)
           FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
           CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'])
               AS p (privilege)
           WHERE n.nspname IN ('retail', 'zava', 'guard') AND c.relkind = 'r'
             AND has_table_privilege('zava_app', c.oid, p.privilege) GROUP BY 1 ORDER BY 1"""
    )
    assert {row[0]: row[1] for row in rows} == {
        "guard.store_directory": ["SELECT"],
        "retail.categories": ["SELECT"],
        "retail.product_description_embeddings": ["DELETE", "INSERT", "SELECT", "UPDATE"],
        "retail.product_types": ["SELECT"],
        "retail.products": ["SELECT"],
        "zava.call_rates": ["DELETE", "INSERT", "SELECT", "UPDATE"],
        "zava.grants": ["SELECT"],
        "zava.revoked_subjects": ["SELECT"],
        "zava.revoked_tokens": ["SELECT"],
        "zava.active_embedding_model": ["INSERT", "SELECT", "UPDATE"],
        "zava.embedding_lease": ["DELETE", "INSERT", "SELECT", "UPDATE"],
        "zava.embedding_run": ["DELETE", "INSERT", "SELECT", "UPDATE"],
        "zava.refused_text": ["DELETE", "INSERT", "SELECT", "UPDATE"],
    }


async def test_neither_login_may_create_anything(oracle: asyncpg.Connection) -> None:
    for role in ("zava_reader", "zava_app"):
        row = await oracle.fetchrow(
            """SELECT has_database_privilege($1, current_database(), 'CREATE'),
                      has_database_privilege($1, current_database(), 'TEMP'),
                      (SELECT bool_or(has_schema_privilege($1, oid, 'CREATE')) FROM pg_namespace)""",
            role,
        )
        assert row is not None
        assert tuple(row) == (False, False, False), role


async def test_setting_up_again_changes_nothing(fresh_database: Database) -> None:
    secrets = fresh_database.cluster.secrets
    before = await _snapshot(fresh_database)
    await prepare_roles(
        fresh_database.administrator, reader_password=secrets.reader_password, app_password=secrets.app_password
    )
    await migrate(fresh_database.administrator)
    assert await _snapshot(fresh_database) == before


async def _snapshot(database: Database) -> list[tuple[object, ...]]:
    connection = await database.superuser()
    try:
        rows = await connection.fetch(
            """SELECT c.oid::text, c.relname, c.relowner::regrole::text, c.relacl::text FROM pg_class AS c
               WHERE c.relnamespace::regnamespace::text IN ('retail', 'zava', 'guard')
               UNION ALL SELECT setdatabase::text, setrole::regrole::text, setconfig::text, '' FROM pg_db_role_setting
               UNION ALL SELECT version_num, '', '', '' FROM zava.migrations ORDER BY 1, 2, 3"""
        )
        return [tuple(row) for row in rows]
    finally:
        await connection.close()


async def test_the_store_directory_follows_the_stores(fresh_database: Database) -> None:
    connection = await fresh_database.superuser()
    try:
        async with connection.transaction():
            await connection.execute(
                """INSERT INTO retail.stores (store_id, store_name, location, region)
                   VALUES (gen_random_uuid(), 'New', 'Yakima, WA', 'eastern-washington')"""
            )
            await connection.execute(
                "UPDATE retail.stores SET region = 'north' WHERE store_name = 'Zava Retail Everett'"
            )
        same = await connection.fetchval(
            """SELECT count(*) FROM (SELECT store_id, store_name, region FROM retail.stores
               EXCEPT SELECT store_id, store_name, region FROM guard.store_directory) AS missing"""
        )
        assert (same, await connection.fetchval("SELECT count(*) FROM guard.store_directory")) == (0, 9)
    finally:
        await connection.close()
