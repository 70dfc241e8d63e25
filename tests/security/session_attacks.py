"""What a tenant could try if several statements went through at once, or a statement that is no SELECT.

The policy refuses every one of them as text. They are for the runs without it: the transaction is left, settings and
roles are changed, objects are made, and what the session keeps is used afterwards.
"""

from __future__ import annotations

from tests.security.sql_table import SqlCase

_ALL = "SELECT * FROM retail.customers; SELECT * FROM retail.orders; TABLE retail.stores"

_STATEMENTS = {
    "commit": f"COMMIT; {_ALL}",
    "rollback": f"ROLLBACK; {_ALL}",
    "commit and begin": f"COMMIT; BEGIN; {_ALL}",
    "commit and chain": f"COMMIT AND CHAIN; {_ALL}",
    "begin read write": "COMMIT; BEGIN READ WRITE; DELETE FROM retail.orders; DELETE FROM retail.categories; COMMIT",
    "default read write": "COMMIT; SET default_transaction_read_only = off; DELETE FROM retail.product_types",
    "characteristics": "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; COMMIT; DELETE FROM retail.inventory",
    "transaction read write": "SET TRANSACTION READ WRITE; UPDATE retail.orders SET total_amount = 0",
    "two-phase": "PREPARE TRANSACTION 'x'",
    "savepoint": f"SAVEPOINT a; SELECT 1/0; ROLLBACK TO a; {_ALL}",
    "exported snapshot": "SELECT pg_export_snapshot()",
    "role": f"SET ROLE zava_owner; {_ALL}",
    "role none": f"SET ROLE NONE; {_ALL}",
    "role local": f"SET LOCAL ROLE zava_guard; SELECT * FROM guard.context_key; {_ALL}",
    "session authorization": f"SET SESSION AUTHORIZATION zava_app; SELECT * FROM guard.store_directory; {_ALL}",
    "row security off": f"SET row_security = off; {_ALL}",
    "replication role": "SET session_replication_role = replica; DELETE FROM retail.stores",
    "reset all": f"RESET ALL; {_ALL}",
    "discard all": f"COMMIT; DISCARD ALL; {_ALL}",
    "context emptied": f"SET zava.tenant_context = ''; {_ALL}",
    "context for the session": f"SELECT set_config('zava.tenant_context', repeat('a', 100), false); COMMIT; {_ALL}",
    "own context kept": "SELECT set_config('zava.tenant_context', current_setting('zava.tenant_context'), false); "
    f"COMMIT; {_ALL}",
    "other search path": f"SET search_path = pg_temp, retail; {_ALL}",
    "guard shadowed": "CREATE FUNCTION pg_temp.current_store_ids() RETURNS uuid[] LANGUAGE sql AS 'SELECT NULL'",
    "operator shadowed": f"CREATE OPERATOR pg_temp.= (FUNCTION = uuid_ne, LEFTARG = uuid, RIGHTARG = uuid); {_ALL}",
    "policy of one's own": "CREATE POLICY open ON retail.customers USING (true); TABLE retail.customers",
    "policy dropped": "DROP POLICY stores_in_scope ON retail.customers; TABLE retail.customers",
    "row security disabled": "ALTER TABLE retail.customers DISABLE ROW LEVEL SECURITY; TABLE retail.customers",
    "owner changed": "ALTER TABLE retail.customers OWNER TO zava_reader; TABLE retail.customers",
    "owner by the owner": "REASSIGN OWNED BY zava_owner TO zava_reader; TABLE retail.customers",
    "member of the owner": "GRANT zava_owner TO zava_reader; SET ROLE zava_owner; TABLE retail.customers",
    "select on the keys": "GRANT SELECT ON guard.context_key TO zava_reader; TABLE guard.context_key",
    "bypass for oneself": "ALTER ROLE zava_reader BYPASSRLS; TABLE retail.customers",
    "superuser for oneself": "ALTER ROLE zava_reader SUPERUSER; TABLE retail.customers",
    "own password": "ALTER ROLE zava_reader PASSWORD 'taken over'",
    "own settings": "ALTER ROLE zava_reader SET statement_timeout = 0",
    "own settings here": "ALTER ROLE zava_reader SET zava.tenant_context = 'local1|9999999999'",
    "another's password": "ALTER ROLE zava_app PASSWORD 'taken over'",
    "own default privileges": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "system settings": "ALTER SYSTEM SET row_security = off",
    "database settings": "ALTER DATABASE zava_planted SET row_security = off",
    "table": "CREATE TABLE public.taken AS SELECT * FROM retail.customers; TABLE public.taken",
    "temporary table": "CREATE TEMP TABLE taken AS SELECT * FROM retail.customers; TABLE taken",
    "view": "CREATE TEMP VIEW taken AS SELECT * FROM retail.customers; TABLE taken",
    "schema": "CREATE SCHEMA taken",
    "definer": "CREATE FUNCTION public.taken() RETURNS SETOF retail.customers LANGUAGE sql SECURITY DEFINER "
    "AS 'TABLE retail.customers'; SELECT * FROM public.taken()",
    "trigger": "CREATE TRIGGER taken AFTER INSERT ON retail.stores EXECUTE FUNCTION guard.keep_store_directory()",
    "rule": "CREATE RULE taken AS ON SELECT TO retail.categories DO INSTEAD SELECT 1, 'x'::text",
    "event trigger": "CREATE EVENT TRIGGER taken ON ddl_command_end EXECUTE FUNCTION guard.keep_store_directory()",
    "extension": "CREATE EXTENSION file_fdw",
    "foreign server": "CREATE SERVER taken FOREIGN DATA WRAPPER postgres_fdw",
    "publication": "CREATE PUBLICATION taken FOR ALL TABLES",
    "replication slot": "SELECT pg_create_logical_replication_slot('taken', 'pgoutput')",
    "cast": "CREATE CAST (text AS uuid) WITH INOUT AS IMPLICIT",
    "catalogue row": "UPDATE pg_class SET relrowsecurity = false; DELETE FROM pg_policy",
    "insert": "INSERT INTO retail.stores SELECT gen_random_uuid(), 'x', 'x', 'x'",
    "merge": "MERGE INTO retail.inventory AS i USING retail.products AS p USING (product_id) "
    "WHEN MATCHED THEN UPDATE SET stock_level = 0",
    "merge on": "MERGE INTO retail.inventory AS i USING retail.products AS p ON i.product_id = p.product_id "
    "WHEN MATCHED THEN DELETE",
    "truncate": "TRUNCATE retail.order_items",
    "lock": "LOCK TABLE retail.orders IN ACCESS EXCLUSIVE MODE",
    "sequence": "SELECT setval('retail.categories_category_id_seq', 1)",
    "large object": "SELECT lo_from_bytea(0, convert_to(string_agg(email, ','), 'UTF8')) FROM retail.customers",
    "large object to a file": "SELECT lo_export(1, '/tmp/taken')",
    "copy out": "COPY retail.customers TO STDOUT",
    "copy query out": "COPY (SELECT * FROM retail.customers) TO STDOUT WITH (FORMAT csv, HEADER)",
    "copy in": "COPY retail.categories (category_name) FROM STDIN",
    "copy to a program": "COPY retail.customers TO PROGRAM 'cat'",
    "file": "SELECT pg_read_file('postgresql.conf'), pg_ls_dir('.')",
    "notices": "DO $$ BEGIN RAISE NOTICE '%', (SELECT string_agg(email, ',') FROM retail.customers); END $$",
    "error of a row": "DO $$ BEGIN RAISE EXCEPTION '%', (SELECT string_agg(email, ',') FROM retail.customers); END $$",
    "dynamic SQL": "DO $$ BEGIN EXECUTE 'SET LOCAL row_security = off'; "
    "RAISE NOTICE '%', (SELECT count(*) FROM retail.orders); END $$",
    "prepared": "PREPARE taken AS TABLE retail.customers; COMMIT; EXECUTE taken",
    "cursor": "DECLARE taken CURSOR FOR TABLE retail.customers; FETCH ALL FROM taken",
    "cursor with hold": "DECLARE held CURSOR WITH HOLD FOR TABLE retail.orders; COMMIT; FETCH ALL FROM held",
    "listening": "LISTEN everything; NOTIFY everything, 'heard'",
    "message": "SELECT pg_logical_emit_message(false, 'a', 'b'), pg_notify('a', 'b')",
    "advisory lock": "SELECT pg_advisory_lock(1), pg_try_advisory_lock(2)",
    "own other sessions": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user",
    "own session": "SELECT pg_terminate_backend(pg_backend_pid())",
    "own statement": "SELECT pg_cancel_backend(pg_backend_pid())",
    "endless": "SET statement_timeout = 0; SELECT pg_sleep(60)",
    "endless loop": "DO $$ BEGIN PERFORM set_config('statement_timeout', '0', false); LOOP END LOOP; END $$",
}

SESSION_ATTACKS = tuple(
    SqlCase(name.replace(" ", "_").replace("'", ""), sql, "", "session") for name, sql in _STATEMENTS.items()
)
