"""PostgreSQL as on Azure: TLS whose certificate is checked, and a token of a managed identity for each login."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.azure_standins.identity_endpoint import IdentityEndpoint
from tests.azure_standins.postgres_gateway import HOST, PostgresGateway
from tests.conftest import Database
from zava import bootstrap
from zava.bootstrap import Application
from zava.data import pools as pools_module
from zava.data.database_errors import translated
from zava.data.pools import LazyPool, Pools
from zava.errors import DatabaseUnavailableError, MCPError
from zava.local.environment import settings_of
from zava.platform.settings import Settings

APP_ID = "11111111-2222-3333-4444-555555555555"
READER_ID = "66666666-7777-8888-9999-aaaaaaaaaaaa"
RESOURCE = "https://ossrdbms-aad.database.windows.net"
# As long as Azure's.
READER_TOKEN, APP_TOKEN = "r" * 1_900, "a" * 1_900


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityEndpoint]:
    endpoint = IdentityEndpoint("nobody's")
    endpoint.token_of.update({READER_ID: READER_TOKEN, APP_ID: APP_TOKEN})
    with endpoint.server:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        yield endpoint


@pytest.fixture(autouse=True)
def _pools_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools_module, "_pools", {})


@pytest.fixture
async def gateway(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[PostgresGateway]:
    async with PostgresGateway(database.cluster.server.port).running(monkeypatch, tmp_path) as running:
        yield running


class Logins:
    """The real server, taught which token each login has: what Azure learns from Entra ID."""

    def __init__(self, superuser: asyncpg.Connection) -> None:
        self._superuser = superuser

    async def take(self, *, reader: str, app: str) -> None:
        for role, password in (("zava_reader", reader), ("zava_app", app)):
            await self._superuser.execute(f"ALTER ROLE {role} PASSWORD '{password}'")

    async def end_sessions(self) -> None:
        await self._superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('zava_reader', 'zava_app')"
        )


@pytest.fixture
async def logins(database: Database) -> AsyncIterator[Logins]:
    superuser = await database.superuser()
    secrets = database.cluster.secrets
    logins = Logins(superuser)
    try:
        await logins.take(reader=READER_TOKEN, app=APP_TOKEN)
        yield logins
    finally:
        await logins.take(reader=secrets.reader_password, app=secrets.app_password)
        await superuser.close()


def azure_settings(database: Database, **changes: str) -> Settings:
    local = {name: value for name, value in database.environment.items() if "PASSWORD" not in name}
    return settings_of(
        local
        | {
            "POSTGRES_HOST": HOST,
            "POSTGRES_SSLMODE": "verify-full",
            "POSTGRES_AUTH": "entra",
            "AZURE_CLIENT_ID": APP_ID,
            "AZURE_READER_CLIENT_ID": READER_ID,
            "WEBSITE_SITE_NAME": "zava",
            "AUTH_JWKS_URL": "",
        }
        | changes
    )


@pytest.fixture
async def application(database: Database) -> AsyncIterator[Application]:
    application = bootstrap.build(azure_settings(database))
    yield application
    await application.pools.close()


async def user_of(pool: LazyPool) -> str:
    with translated():
        async with pool.connection() as connection:
            return await connection.fetchval("SELECT current_user")


async def outcome(pool: LazyPool) -> str:
    try:
        return await user_of(pool)
    except MCPError as problem:
        return problem.code if problem.retryable else f"{problem.code}, for good"


async def test_each_login_is_opened_by_its_own_identity_under_the_servers_own_name(
    application: Application, identity: IdentityEndpoint, gateway: PostgresGateway, logins: Logins
) -> None:
    assert [await user_of(pool) for pool in (application.pools.reader, application.pools.app)] == [
        "zava_reader",
        "zava_app",
    ]
    assert [(asked["resource"], asked["client_id"]) for asked in identity.requests] == [
        (RESOURCE, READER_ID),
        (RESOURCE, APP_ID),
    ]
    assert gateway.asked_for == [HOST, HOST]


async def test_isolation_is_proved_and_rows_are_read_with_tokens(
    application: Application, identity: IdentityEndpoint, gateway: PostgresGateway, logins: Logins
) -> None:
    reply = await application.health.ready({})
    assert (reply.status, b'"isolation":"proved"' in reply.body) == (200, True)


async def test_a_certificate_of_another_host_is_refused(
    database: Database, identity: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pools = Pools(azure_settings(database))
    other = PostgresGateway(database.cluster.server.port, certificate_for="otherdb.postgres.database.azure.com")
    async with other.running(monkeypatch, tmp_path):
        assert await outcome(pools.reader) == "DATABASE_UNAVAILABLE"


async def test_a_certificate_nobody_trusts_is_refused(
    database: Database, identity: IdentityEndpoint, gateway: PostgresGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    pools = Pools(azure_settings(database))
    assert await outcome(pools.reader) == "DATABASE_UNAVAILABLE"


async def test_no_token_is_sent_to_a_server_without_tls(
    database: Database, identity: IdentityEndpoint, gateway: PostgresGateway, logins: Logins
) -> None:
    gateway.speaks_tls = False
    pools = Pools(azure_settings(database))
    with pytest.raises(DatabaseUnavailableError):
        await user_of(pools.reader)
    assert gateway.asked_for == []


async def test_a_token_that_is_refused_is_renewed_once_and_the_caller_notices_nothing(
    application: Application, identity: IdentityEndpoint, gateway: PostgresGateway, logins: Logins
) -> None:
    assert await user_of(application.pools.reader) == "zava_reader"
    identity.token_of[READER_ID] = "n" * 1_900
    await logins.take(reader="n" * 1_900, app=APP_TOKEN)
    assert await user_of(application.pools.reader) == "zava_reader", "an open connection outlives its token"
    assert len(identity.requests) == 1
    await logins.end_sessions()
    await outcome(application.pools.reader)  # this may be how the pool learns that its connection has gone
    assert await user_of(application.pools.reader) == "zava_reader"
    assert len(identity.requests) == 2


async def test_a_token_that_is_refused_for_ever_fails_cleanly_and_floods_nobody(
    application: Application, identity: IdentityEndpoint, gateway: PostgresGateway, logins: Logins
) -> None:
    await logins.take(reader="other", app=APP_TOKEN)
    outcomes = [await outcome(application.pools.reader) for _ in range(10)]
    assert outcomes == ["DATABASE_UNAVAILABLE"] * 10
    assert len(identity.requests) == 2, "the first token, and one more because it was refused"


async def test_without_the_identity_endpoint_open_connections_serve_on_and_new_ones_fail_cleanly(
    application: Application, identity: IdentityEndpoint, gateway: PostgresGateway, logins: Logins
) -> None:
    assert await user_of(application.pools.reader) == "zava_reader"
    identity.status = 500
    assert await user_of(application.pools.reader) == "zava_reader"
    assert [await outcome(application.pools.app) for _ in range(5)] == ["SERVICE_UNAVAILABLE"] * 5
    assert len(identity.requests) == 2, "the failure is remembered for two seconds"
