"""The proof of isolation: it holds on a healthy database, and each thing an operator could break is noticed by name."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest

from tests.conftest import Database
from zava import bootstrap
from zava.data.isolation_proof import IsolationProof
from zava.data.pools import Pools
from zava.data.tenant_context import ContextSigner, SigningKey
from zava.errors import DatabaseUnavailableError, IsolationError
from zava.platform.settings import Settings


def _proof(database: Database, pools: Pools) -> IsolationProof:
    return IsolationProof(pools, ContextSigner(SigningKey.parse(database.cluster.secrets.tenant_signing_key)))


async def test_a_healthy_database_proves_every_check(database: Database) -> None:
    pools = Pools(database.settings)
    proof = _proof(database, pools)
    assert await proof.run() == ()
    await proof.ensure()


# What is done to the database, and the check that must fail. Statements on roles are undone by the second one, because
# roles belong to the whole server.
_GUARD_WITHOUT_TIMES = """
DO $do$
BEGIN
    EXECUTE replace(pg_get_functiondef('guard.current_store_ids()'::regprocedure), '{check}', 'false');
END $do$
"""

_BREAKS = {
    "FORCE dropped": ("ALTER TABLE retail.orders NO FORCE ROW LEVEL SECURITY", "", "row_security_is_forced"),
    "row security off": ("ALTER TABLE retail.stores DISABLE ROW LEVEL SECURITY", "", "row_security_is_forced"),
    "tenant key renamed": (
        "ALTER TABLE retail.inventory RENAME COLUMN store_id TO shop_id",
        "",
        "row_security_is_forced",
    ),
    "policy for all": ("CREATE POLICY open ON retail.orders USING (true)", "", "policies_are_ours"),
    "policy replaced": (
        "DROP POLICY stores_in_scope ON retail.customers; "
        "CREATE POLICY stores_in_scope ON retail.customers FOR SELECT USING (true)",
        "",
        "policies_are_ours",
    ),
    "new tenant table without row security": (
        "CREATE TABLE retail.returns (store_id uuid); GRANT SELECT ON retail.returns TO zava_reader",
        "",
        "row_security_is_forced",
    ),
    "view that bypasses": (
        "CREATE VIEW retail.everything AS SELECT * FROM retail.orders; "
        "GRANT SELECT ON retail.everything TO zava_reader",
        "",
        "every_readable_table_is_known",
    ),
    "unknown shared table": (
        "CREATE TABLE retail.salaries (person text); GRANT SELECT ON retail.salaries TO zava_reader",
        "",
        "every_readable_table_is_known",
    ),
    "write granted": ("GRANT UPDATE ON retail.orders TO zava_reader", "", "login_only_reads"),
    "write on one column": ("GRANT UPDATE (status) ON retail.orders TO zava_reader", "", "login_only_reads"),
    "temporary tables": ("GRANT TEMP ON DATABASE {database} TO zava_reader", "", "login_only_reads"),
    "create in public": ("GRANT CREATE ON SCHEMA public TO PUBLIC", "", "login_only_reads"),
    "keys readable": ("GRANT SELECT ON guard.context_key TO zava_reader", "", "login_reads_only_retail"),
    "migrations readable": (
        "GRANT USAGE ON SCHEMA zava TO zava_reader; GRANT SELECT ON zava.migrations TO zava_reader",
        "",
        "login_reads_only_retail",
    ),
    "guard function owned by a login": (
        "GRANT CREATE ON SCHEMA guard TO zava_admin; ALTER FUNCTION guard.current_store_ids() OWNER TO zava_admin",
        "",
        "guard_is_locked_up",
    ),
    "function that lends rights": (
        "CREATE FUNCTION retail.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER "
        "AS 'SELECT count(*) FROM retail.orders'",
        "",
        "no_other_function_lends_rights",
    ),
    "table owned by the login": (
        "CREATE TABLE public.mine (n int); ALTER TABLE public.mine OWNER TO zava_reader",
        "",
        "login_owns_nothing",
    ),
    "key gone": ("DELETE FROM guard.context_key", "", "own_context_is_confirmed"),
    "guard trusts everything": (
        "CREATE OR REPLACE FUNCTION guard.current_store_ids() RETURNS uuid[] LANGUAGE plpgsql STABLE SECURITY DEFINER "
        "AS $$ BEGIN "
        "RETURN string_to_array(split_part(current_setting('zava.tenant_context', true), '|', 4), ',')::uuid[]; END $$",
        "",
        "forged_context_sees_nothing",
    ),
    "guard sees all": (
        "CREATE OR REPLACE FUNCTION guard.current_store_ids() RETURNS uuid[] LANGUAGE plpgsql STABLE SECURITY DEFINER "
        "AS $$ BEGIN RETURN (SELECT array_agg(store_id) FROM guard.store_directory); END $$",
        "",
        "without_context_no_row_is_seen",
    ),
    "expiry ignored": (_GUARD_WITHOUT_TIMES.format(check="remaining <= 0"), "", "expired_context_sees_nothing"),
    "any end allowed": (_GUARD_WITHOUT_TIMES.format(check="remaining > 120"), "", "long_lived_context_sees_nothing"),
    "guard gone": ("DROP FUNCTION guard.current_store_ids() CASCADE", "", "checks_can_be_made"),
    "login bypasses row security": (
        "ALTER ROLE zava_reader BYPASSRLS",
        "ALTER ROLE zava_reader NOBYPASSRLS",
        "login_is_plain",
    ),
    "login is superuser": ("ALTER ROLE zava_reader SUPERUSER", "ALTER ROLE zava_reader NOSUPERUSER", "login_is_plain"),
    "login becomes another role": (
        "CREATE ROLE zava_other; GRANT zava_other TO zava_reader; GRANT USAGE ON SCHEMA retail, guard TO zava_other; "
        "GRANT SELECT ON ALL TABLES IN SCHEMA retail TO zava_other; "
        "GRANT EXECUTE ON FUNCTION guard.current_store_ids() TO zava_other; "
        "ALTER ROLE zava_reader SET role = zava_other",
        "ALTER ROLE zava_reader RESET role; DROP OWNED BY zava_other; DROP ROLE zava_other",
        "session_is_the_logins_own",
    ),
    "login is in another role": (
        "GRANT zava_owner TO zava_reader",
        "REVOKE zava_owner FROM zava_reader",
        "login_is_member_of_nothing",
    ),
}


def test_what_the_security_document_breaks_and_mends_is_noticed_as_it_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")
    broken = re.search(r"```sql\n(.*?);\n```", page)
    assert broken is not None
    assert (broken[1], "", "row_security_is_forced") in _BREAKS.values()
    assert f"`{broken[1].replace(' NO FORCE', ' FORCE')};` mends it" in page
    assert "`failed checks: row_security_is_forced`" in page


def test_the_security_document_lists_every_check_and_each_can_be_broken() -> None:
    text = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")
    documented = re.findall(r"^\| `([a-z]+_[a-z_]+)` \|", text, re.MULTILINE)
    assert sorted(documented) == sorted({check for _, _, check in _BREAKS.values()})


@pytest.mark.parametrize(("broken", "mended", "check"), _BREAKS.values(), ids=_BREAKS)
async def test_whatever_is_broken_is_noticed_by_name_and_stops_the_answers(
    broken: str, mended: str, check: str, fresh_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    superuser = await fresh_database.superuser()
    pools = Pools(fresh_database.settings)
    try:
        proof = _proof(fresh_database, pools)
        assert await proof.run() == ()
        await superuser.execute(broken.format(database=fresh_database.name))
        await pools.close()  # what stands on a role counts from the next session on
        with caplog.at_level(logging.CRITICAL):
            assert check in await proof.run()
        assert check in caplog.text
        with pytest.raises(IsolationError) as caught:
            await proof.ensure()
        assert check not in str(caught.value.as_dict())
    finally:
        if mended:
            await superuser.execute(mended)
        await pools.close()
        await superuser.close()


async def test_a_proof_is_made_again_after_five_minutes(fresh_database: Database) -> None:
    superuser = await fresh_database.superuser()
    pools = Pools(fresh_database.settings)
    now = 1_000.0
    key = SigningKey.parse(fresh_database.cluster.secrets.tenant_signing_key)
    proof = IsolationProof(pools, ContextSigner(key), clock=lambda: now)
    try:
        await proof.ensure()
        await superuser.execute("ALTER TABLE retail.orders NO FORCE ROW LEVEL SECURITY")
        now += 299
        await proof.ensure()
        now += 2
        with pytest.raises(IsolationError):
            await proof.ensure()
        await superuser.execute("ALTER TABLE retail.orders FORCE ROW LEVEL SECURITY")
        now += 6
        await proof.ensure()
    finally:
        await pools.close()
        await superuser.close()


async def test_readiness_tells_anybody_the_state_and_only_a_super_admin_the_check(fresh_database: Database) -> None:
    superuser = await fresh_database.superuser()
    application = bootstrap.build(fresh_database.settings)
    issuer = fresh_database.cluster.issuer
    admin = {"authorization": f"Bearer {issuer.mint('super_admin')}"}
    manager = {"authorization": f"Bearer {issuer.mint('store_manager', stores=['seattle'])}"}
    try:
        ready = await application.health.ready({})
        assert (ready.status, json.loads(ready.body)) == (
            200,
            {"status": "ready", "database": "ok", "isolation": "proved"},
        )
        await superuser.execute("ALTER TABLE retail.orders NO FORCE ROW LEVEL SECURITY")
        application = bootstrap.build(fresh_database.settings)  # the other keeps its answer for a few seconds
        plain = {"status": "not ready", "database": "ok", "isolation": "failed"}
        for headers in ({}, manager, {"authorization": "Bearer nonsense"}):
            answer = await application.health.ready(headers)
            assert (answer.status, json.loads(answer.body)) == (503, plain)
        answer = await application.health.ready(admin)
        assert (answer.status, json.loads(answer.body)) == (
            503,
            plain | {"failed": ["isolation"], "failed_checks": ["row_security_is_forced"]},
        )
        assert (await application.health.live()).status == 200
    finally:
        await application.pools.close()
        await superuser.close()


async def test_readiness_without_a_database_is_503_and_says_so(database: Database, unused_port: int) -> None:
    settings: Settings = database.settings.model_copy(update={"postgres_port": unused_port})
    application = bootstrap.build(settings)
    answer = await application.health.ready({})
    assert (answer.status, json.loads(answer.body)) == (
        503,
        {"status": "not ready", "database": "failed", "isolation": "unknown"},
    )
    with pytest.raises(DatabaseUnavailableError):
        await IsolationProof(application.pools, ContextSigner(SigningKey.generate("k"))).ensure()
    await application.pools.close()
