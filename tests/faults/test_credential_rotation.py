"""Passwords and the signing key are replaced in the vault while tenants call: no restart, no wrong row, no long gap."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.azure_standins.key_vault import URL, KeyVault
from tests.conftest import Database
from zava import bootstrap
from zava.bootstrap import Application
from zava.data import pools
from zava.data.signing_keys import SigningKeys
from zava.data.tenant_context import SigningKey, TenantScope
from zava.errors import MCPError
from zava.local.environment import settings_of
from zava.platform.secret_names import SecretName
from zava.platform.secrets import REFUSED_SECONDS

ScopeOf = Callable[..., TenantScope]
_CALLERS = {"seattle": "a" * 64, "online": "b" * 64}
_SQL = "SELECT DISTINCT store_id FROM retail.orders"


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: Database) -> Iterator[KeyVault]:
    secrets = database.cluster.secrets
    monkeypatch.setattr(pools, "_pools", {})
    with KeyVault().running(monkeypatch, tmp_path) as running:
        running.secrets.update(
            {
                SecretName.POSTGRES_PASSWORD: secrets.reader_password,
                SecretName.POSTGRES_APP_PASSWORD: secrets.app_password,
                SecretName.TENANT_SIGNING_KEY: secrets.tenant_signing_key,
            }
        )
        yield running


def built(database: Database) -> Application:
    """The app as on Azure: every secret of its is in the vault."""
    environment = {name: value for name, value in database.environment.items() if name in _PLAIN}
    return bootstrap.build(
        settings_of(environment | {"AZURE_KEY_VAULT_URL": URL, "WEBSITE_SITE_NAME": "zava"}),
    )


# An answer from the cache would need no password and no key.
_PLAIN = {"POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DATABASE", "POSTGRES_SSLMODE", "QUERY_CACHE_SECONDS"}


@pytest.fixture
async def superuser(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await database.superuser()
    yield connection
    await connection.execute(f"ALTER ROLE zava_reader PASSWORD '{database.cluster.secrets.reader_password}'")
    await connection.close()


def times_read(vault: KeyVault, name: SecretName) -> int:
    return sum(path.rstrip("/") == f"/secrets/{name}" for path, status in vault.asked if status == 200)


def most_reads(since: float) -> int:
    """Of a secret that is refused all the time: the first, one at once because of it, and then one every so often."""
    return 2 + int((time.monotonic() - since) / REFUSED_SECONDS)


class Load:
    """Two tenants that call without a pause. Each row must be theirs; `codes` counts what they got."""

    def __init__(self, application: Application, scope: ScopeOf) -> None:
        self.codes: Counter[str] = Counter()
        self.last_failure_at = 0.0
        self._application = application
        self._scopes = [TenantScope(scope(slug).store_ids, subject) for slug, subject in _CALLERS.items()]
        self._ended = False

    async def __aenter__(self) -> Load:
        self._callers = [asyncio.ensure_future(self._call(scope)) for scope in self._scopes]
        return self

    async def __aexit__(self, *arguments: object) -> None:
        self._ended = True
        await asyncio.gather(*self._callers)

    async def good_answers(self, more: int) -> None:
        """Wait for so many more."""
        wanted = self.codes["OK"] + more
        await self._until(lambda: self.codes["OK"] >= wanted)

    async def answers(self, count: int) -> None:
        """Wait until there are so many, of whatever kind."""
        await self._until(lambda: self.codes.total() >= count)

    async def _until(self, holds: Callable[[], bool]) -> None:
        ends_at = time.monotonic() + 20
        while not holds():
            for caller in self._callers:
                if caller.done():
                    caller.result()  # what ended it
            assert time.monotonic() < ends_at, self.codes
            await asyncio.sleep(0.005)

    async def _call(self, scope: TenantScope) -> None:
        while not self._ended:
            try:
                result = await self._application.sales_queries.run(_SQL, scope, deadline=time.monotonic() + 20)
            except MCPError as problem:
                self.codes[problem.code] += 1
                self.last_failure_at = time.monotonic()
                await asyncio.sleep(0.02)
            else:
                assert {str(row[0]) for row in result.rows} == {str(store) for store in scope.store_ids}
                self.codes["OK"] += 1


async def test_building_the_app_asks_the_vault_for_nothing(vault: KeyVault, database: Database) -> None:
    application = built(database)
    assert (vault.asked, vault.identity.requests) == ([], [])
    await application.pools.close()
    assert vault.asked == []


async def test_a_password_rotated_under_load_needs_no_restart(
    vault: KeyVault, database: Database, superuser: asyncpg.Connection, scope: ScopeOf
) -> None:
    application = built(database)
    async with Load(application, scope) as load:
        await load.good_answers(10)
        vault.secrets[SecretName.POSTGRES_PASSWORD] = "the-next-one"
        await superuser.execute("ALTER ROLE zava_reader PASSWORD 'the-next-one'")
        await load.good_answers(10)
        assert set(load.codes) == {"OK"}, "open connections outlive their password"
        began = time.monotonic()
        await superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'zava_reader' AND datname = $1",
            database.name,
        )
        await load.good_answers(20)
    assert set(load.codes) <= {"OK", "DATABASE_UNAVAILABLE"}
    assert load.last_failure_at - began < 5
    assert Counter(path.rstrip("/") for path, status in vault.asked if status == 200) == {
        "/secrets/postgres-password": 2,
        "/secrets/tenant-signing-key": 1,
    }
    await application.pools.close()


async def test_a_password_that_is_refused_for_ever_is_a_clean_error_and_mends_itself(
    vault: KeyVault, database: Database, superuser: asyncpg.Connection, scope: ScopeOf
) -> None:
    await superuser.execute("ALTER ROLE zava_reader PASSWORD 'nobody-knows'")
    application, began = built(database), time.monotonic()
    async with Load(application, scope) as load:
        await load.answers(30)
        assert set(load.codes) == {"DATABASE_UNAVAILABLE"}
        assert 2 <= times_read(vault, SecretName.POSTGRES_PASSWORD) <= most_reads(began)
        assert times_read(vault, SecretName.TENANT_SIGNING_KEY) == 1
        await superuser.execute(f"ALTER ROLE zava_reader PASSWORD '{database.cluster.secrets.reader_password}'")
        mended = time.monotonic()
        await load.good_answers(1)
        assert time.monotonic() - mended < 5
    await application.pools.close()


async def test_a_signing_key_rotated_under_load_fails_no_call(
    vault: KeyVault, fresh_database: Database, scope: ScopeOf
) -> None:
    keys = SigningKeys(fresh_database.administrator)
    old, new = SigningKey.parse(fresh_database.cluster.secrets.tenant_signing_key), SigningKey.generate("next1")
    application = built(fresh_database)
    async with Load(application, scope) as load:
        await load.good_answers(10)
        await keys.add(new)
        vault.secrets[SecretName.TENANT_SIGNING_KEY] = new.text()
        await load.good_answers(10)
        await keys.retire(old.key_id, 0)
        await load.good_answers(20)
    assert set(load.codes) == {"OK"}
    assert [key_id for key_id, _ in await keys.keys()] == ["next1"]
    await application.pools.close()


async def test_a_signing_key_that_is_refused_for_ever_serves_nothing_and_floods_nobody(
    vault: KeyVault, database: Database, scope: ScopeOf
) -> None:
    vault.secrets[SecretName.TENANT_SIGNING_KEY] = SigningKey.generate("local1").text()
    application, began = built(database), time.monotonic()
    async with Load(application, scope) as load:
        await load.answers(20)
    assert set(load.codes) == {"ISOLATION_FAILED"}
    assert 2 <= times_read(vault, SecretName.TENANT_SIGNING_KEY) <= most_reads(began)
    await application.pools.close()


async def test_a_malformed_signing_key_in_the_vault_is_named_to_the_operator(
    vault: KeyVault, database: Database, scope: ScopeOf
) -> None:
    vault.secrets[SecretName.TENANT_SIGNING_KEY] = "not a key"
    application = built(database)
    with pytest.raises(MCPError) as caught:
        await application.sales_queries.run(_SQL, scope("seattle"), deadline=time.monotonic() + 20)
    assert caught.value.as_dict() == {
        "code": "SERVICE_UNAVAILABLE",
        "message": "The secret tenant-signing-key is malformed",
        "hint": "It must be `<key id>:<64 hex digits>`.",
    }
    await application.pools.close()


async def test_a_vault_outage_stops_no_worker_that_has_its_secrets_and_is_clean_for_one_that_has_none(
    vault: KeyVault, database: Database, scope: ScopeOf
) -> None:
    application = built(database)
    async with Load(application, scope) as load:
        await load.good_answers(5)
        vault.go_away()
        await load.good_answers(20)
        assert set(load.codes) == {"OK"}
    await application.pools.close()

    pools._pools.clear()
    cold = built(database)
    async with Load(cold, scope) as load:
        await load.answers(5)
        assert set(load.codes) == {"SERVICE_UNAVAILABLE"}
        vault.come_back()
        back = time.monotonic()
        await load.good_answers(1)
        assert time.monotonic() - back < 5
    await cold.pools.close()
