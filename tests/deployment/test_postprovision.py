"""The hook that makes a provisioned environment ready: twice, refused, cancelled, killed; and what it leaves behind."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.deployment.azure import APP_ID, PROJECT, READER_ID, Azure, empty_database, provisioned

_RULE = "zava-postprovision"

# What either login may do to a whole table; nothing else is granted, and nothing on columns.
MAY = {
    ("zava_app", "guard.store_directory"): "SELECT",
    ("zava_app", "retail.categories"): "SELECT",
    ("zava_app", "retail.product_description_embeddings"): "DELETE INSERT SELECT UPDATE",
    ("zava_app", "retail.product_types"): "SELECT",
    ("zava_app", "retail.products"): "SELECT",
    ("zava_app", "zava.active_embedding_model"): "INSERT SELECT UPDATE",
    ("zava_app", "zava.call_rates"): "DELETE INSERT SELECT UPDATE",
    ("zava_app", "zava.embedding_lease"): "DELETE INSERT SELECT UPDATE",
    ("zava_app", "zava.embedding_run"): "DELETE INSERT SELECT UPDATE",
    ("zava_app", "zava.grants"): "SELECT",
    ("zava_app", "zava.refused_text"): "DELETE INSERT SELECT UPDATE",
    ("zava_app", "zava.revoked_subjects"): "SELECT",
    ("zava_app", "zava.revoked_tokens"): "SELECT",
    ("zava_reader", "retail.categories"): "SELECT",
    ("zava_reader", "retail.customers"): "SELECT",
    ("zava_reader", "retail.inventory"): "SELECT",
    ("zava_reader", "retail.order_items"): "SELECT",
    ("zava_reader", "retail.orders"): "SELECT",
    ("zava_reader", "retail.product_description_embeddings"): "SELECT",
    ("zava_reader", "retail.product_types"): "SELECT",
    ("zava_reader", "retail.products"): "SELECT",
    ("zava_reader", "retail.stores"): "SELECT",
}


@pytest.fixture(scope="module")
def world() -> Iterator[Azure]:
    # Not pytest's own folder: as root the server runs as nobody, who could not reach it there.
    with tempfile.TemporaryDirectory(prefix="zava-azure-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        with provisioned(Path(folder)) as azure:
            yield azure


@pytest.fixture
async def azure(world: Azure) -> AsyncIterator[Azure]:
    await empty_database(world)
    yield world
    world.manager.refuses = ""
    world.vault.hangs = False
    world.model.faults.always = None


async def finished(azure: Azure, **changes: str) -> tuple[int, str, str]:
    process = azure.hook(**changes)
    output, messages = await asyncio.to_thread(process.communicate, timeout=100)
    return process.returncode, output, messages


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():
            await asyncio.sleep(0.02)


async def figures(azure: Azure) -> dict[str, int]:
    connection = await azure.superuser()
    try:
        row = await connection.fetchrow(
            """SELECT (SELECT count(*) FROM retail.products) AS products,
                      (SELECT count(*) FROM retail.product_description_embeddings) AS embeddings,
                      (SELECT count(*) FROM retail.orders) AS orders,
                      (SELECT count(*) FROM guard.context_key) AS keys"""
        )
        return dict(row or {})
    finally:
        await connection.close()


async def test_it_sets_everything_up_and_a_second_run_changes_nothing(azure: Azure) -> None:
    code, output, messages = await finished(azure)
    assert code == 0, output + messages
    assert [
        line.split(" (")[0] for line in output.splitlines() if line.startswith("[") and not line.endswith("...")
    ] == [
        "[1/7] Parameters of the server: in force after a restart",
        "[2/7] Keys in the vault: made tenant-signing-key, cache-encryption-key",
        "[3/7] Logins of the two identities: made zava_reader and zava_app",
        "[4/7] Schema: up to date",
        "[5/7] Signing key in the database: key1 is accepted",
        "[6/7] Sample data: 11118 rows",
        "[7/7] Embeddings: fresh",
    ]
    assert azure.manager.rules == {}
    server = azure.environment["POSTGRES_SERVER_NAME"]
    rule = f"firewallRules/{_RULE}"
    assert azure.manager.calls == [("POST", f"{server}/restart"), ("PUT", rule), ("DELETE", rule)]
    first, secrets, requests = await figures(azure), dict(azure.vault.secrets), azure.model.attempts
    assert (first["products"], first["embeddings"], first["keys"]) == (520, 520, 1)

    code, output, messages = await finished(azure)
    assert (code, messages) == (0, "")
    assert "Parameters of the server: in force (" in output
    assert "all there" in output
    assert "both there" in output
    assert "there are products already" in output
    assert (await figures(azure), azure.vault.secrets, azure.model.attempts) == (first, secrets, requests)


async def test_what_a_killed_run_left_open_the_next_one_closes(azure: Azure) -> None:
    azure.vault.hangs = True
    process = azure.hook()

    async def opened() -> bool:
        return _RULE in azure.manager.rules

    await until(opened)
    process.kill()
    await asyncio.to_thread(process.communicate)
    assert azure.manager.rules == {_RULE: {"startIpAddress": "203.0.113.7", "endIpAddress": "203.0.113.7"}}
    azure.vault.hangs = False
    code, _, messages = await finished(azure)
    assert (code, messages, azure.manager.rules) == (0, "", {})


async def test_a_run_killed_while_it_loads_goes_on_from_an_empty_catalogue(azure: Azure) -> None:
    assert (await finished(azure, SAMPLE_DATA="false"))[0] == 0
    lock = await azure.superuser()
    async with lock.transaction():
        await lock.execute("LOCK TABLE retail.products IN SHARE MODE")
        process = azure.hook()

        async def waits_for_the_lock() -> bool:
            return bool(await lock.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

        await until(waits_for_the_lock)
        process.kill()
        await asyncio.to_thread(process.communicate)
    await lock.close()
    code, output, messages = await finished(azure)
    assert (code, messages, azure.manager.rules) == (0, "", {})
    assert "Sample data: 11118 rows" in output
    assert (await figures(azure))["embeddings"] == 520


async def test_a_cancelled_run_takes_its_firewall_rule_away(azure: Azure) -> None:
    azure.model.faults.always = "hang"
    process = azure.hook()

    async def embeds() -> bool:
        return azure.model.attempts > before

    before = azure.model.attempts
    await until(embeds)
    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.communicate, timeout=30)
    assert (process.returncode, azure.manager.rules) == (143, {})


@pytest.mark.parametrize(
    ("refused", "sentence"),
    [
        pytest.param("PUT", "Opening or closing the database's firewall failed: PUT", id="the rule is refused"),
        pytest.param(
            "DELETE", "Opening or closing the database's firewall failed: DELETE", id="taking it away is refused"
        ),
    ],
)
async def test_a_refused_firewall_rule_is_said(azure: Azure, refused: str, sentence: str) -> None:
    azure.manager.refuses = refused
    code, _, messages = await finished(azure, SAMPLE_DATA="false")
    assert code == 1
    assert sentence in messages
    assert "was refused with status 403: You may not do that." in messages


async def test_an_identity_that_was_made_anew_is_named_with_the_remedy(azure: Azure) -> None:
    assert (await finished(azure, SAMPLE_DATA="false"))[0] == 0
    code, _, messages = await finished(azure, SAMPLE_DATA="false", APP_IDENTITY_OBJECT_ID=READER_ID)
    assert code == 1
    assert f"the role zava_app belongs to {APP_ID}, not to {READER_ID}" in messages
    assert f"SECURITY LABEL FOR pgaadauth ON ROLE zava_app IS 'aadauth,oid={READER_ID},type=service'" in messages
    assert azure.manager.rules == {}


@pytest.mark.parametrize("address", ["0.0.0.0", "203.0.113.0/24", "::", "<html>"])
async def test_the_database_is_opened_to_one_machine_and_never_to_all_of_azure(azure: Azure, address: str) -> None:
    code, _, messages = await finished(azure, DEPLOYER_ADDRESS=address)
    assert (code, "is no " in messages, azure.manager.rules) == (1, True, {})
    assert not any(name.startswith("firewallRules") for _, name in azure.manager.calls)


async def test_every_missing_value_is_named_at_once(azure: Azure) -> None:
    code, output, messages = await finished(azure, POSTGRES_HOST="", AZURE_KEY_VAULT_URL="")
    assert (code, output) == (1, "")
    assert messages.startswith("These values are missing: AZURE_KEY_VAULT_URL, POSTGRES_HOST.")


async def test_without_an_app_registration_the_operator_gets_a_key_pair(azure: Azure) -> None:
    environment = azure.environment | {"AUTH_ENTRA_CLIENT_ID": ""}
    folder = PROJECT / ".azure" / environment["AZURE_ENV_NAME"]
    try:
        code, output, messages = await finished(azure, SAMPLE_DATA="false", AUTH_ENTRA_CLIENT_ID="")
        assert (code, messages) == (0, "")
        private = folder / "operator_private_key.pem"
        assert f"auth-public-key, its private half in {private}" in output
        assert private.stat().st_mode & 0o777 == 0o600
        assert azure.vault.secrets["auth-public-key"].startswith("-----BEGIN PUBLIC KEY-----")
        assert not any("PRIVATE" in value for value in azure.vault.secrets.values())
    finally:
        for file in folder.glob("*"):
            file.unlink()
        folder.rmdir()


async def test_the_roles_may_do_exactly_what_the_table_says(azure: Azure) -> None:
    assert (await finished(azure, SAMPLE_DATA="false"))[0] == 0
    connection = await azure.superuser()
    try:
        attributes = await connection.fetch(
            """SELECT rolname, rolcanlogin, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls,
                      rolconnlimit FROM pg_roles WHERE rolname LIKE 'zava%' ORDER BY 1"""
        )
        granted = await connection.fetch(
            """SELECT r.rolname, n.nspname || '.' || c.relname AS relation,
                      string_agg(p.privilege, ' ' ORDER BY p.privilege) AS may
               FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace,
                    pg_roles AS r, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p (privilege)
               WHERE n.nspname IN ('retail', 'zava', 'guard') AND c.relkind IN ('r', 'p', 'v')
                 AND r.rolname IN ('zava_reader', 'zava_app') AND has_table_privilege(r.oid, c.oid, p.privilege)
               GROUP BY 1, 2 ORDER BY 1, 2"""
        )
    finally:
        await connection.close()
    assert [tuple(row) for row in attributes] == [
        ("zava_app", True, False, 6),
        ("zava_guard", False, False, -1),
        ("zava_owner", False, False, -1),
        ("zava_reader", True, False, 12),
    ]
    assert {(row["rolname"], row["relation"]): row["may"] for row in granted} == MAY
