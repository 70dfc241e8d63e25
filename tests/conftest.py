"""One real PostgreSQL for the whole run, a template database with 1 % of the sample data, and clones of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

os.environ.setdefault("TQDM_DISABLE", "1")  # read by tqdm when it is imported, so it stands before our own imports

from tests import network_guard
from tests.azure_standins.collector import Collector
from zava import bootstrap
from zava.bootstrap import Application
from zava.data.administration import AdministratorConnection, prepare_roles
from zava.data.isolation_proof import IsolationProof
from zava.data.pools import Pools
from zava.data.tenant_context import ContextSigner, SigningKey, TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.local import sample_data
from zava.local.environment import Secrets, app_settings, create_database, prepare_schema, settings_of
from zava.local.postgres import LocalPostgres
from zava.local.stores import STORES
from zava.local.token_issuer import LocalIssuer
from zava.platform.settings import Settings

network_guard.install()

_TEMPLATE = "zava_template"


@dataclass(frozen=True, slots=True)
class Cluster:
    """The running server, the secrets and the issuer that go with it."""

    server: LocalPostgres
    secrets: Secrets
    issuer: LocalIssuer

    def superuser(self, database: str) -> AdministratorConnection:
        """The tests' oracle: no row security binds a superuser. The product never has one."""
        return AdministratorConnection(
            self.server.host, self.server.port, database, "postgres", self.server.superuser_password
        )


@dataclass(frozen=True, slots=True)
class Database:
    """One database of the cluster, with the settings of an app that uses it."""

    cluster: Cluster
    name: str
    environment: dict[str, str]

    @property
    def settings(self) -> Settings:
        return settings_of(self.environment)

    @property
    def administrator(self) -> AdministratorConnection:
        server = self.cluster.server
        return AdministratorConnection(
            server.host, server.port, self.name, "zava_admin", self.cluster.secrets.administrator_password
        )

    async def superuser(self) -> asyncpg.Connection:
        return await self.cluster.superuser(self.name).open()

    async def prepare_roles(self) -> None:
        """Privileges on the database and its roles' settings: all that a copy does not bring along."""
        secrets = self.cluster.secrets
        await prepare_roles(
            self.administrator, reader_password=secrets.reader_password, app_password=secrets.app_password
        )

    def transactions(self, pools: Pools, signer: ContextSigner | None = None) -> TenantTransactions:
        """What the app opens transactions with, or the same with another signer."""
        key = SigningKey.parse(self.cluster.secrets.tenant_signing_key)
        return TenantTransactions(pools, signer or ContextSigner(key), IsolationProof(pools, ContextSigner(key)))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    # Not pytest's own folder: that one is private to this user, and as root the server runs as nobody.
    with tempfile.TemporaryDirectory(prefix="zava-tests-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        home = Path(folder) / "data"
        with LocalPostgres(home, durable=False) as server:
            cluster = Cluster(server, Secrets.of(home), LocalIssuer(home))
            asyncio.run(_make_template(cluster))
            yield cluster


async def _make_template(cluster: Cluster) -> None:
    administrator = await create_database(cluster.server, _TEMPLATE, cluster.secrets)
    await prepare_schema(administrator, cluster.secrets)
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    await sample_data.load(administrator, scale=0.01, last_day=yesterday)
    application = bootstrap.build(_clone(cluster, _TEMPLATE).settings)
    await application.embedding_refresh.run()
    await application.pools.close()


def _clone(cluster: Cluster, name: str) -> Database:
    environment = app_settings(cluster.server, cluster.secrets, cluster.issuer) | {
        "POSTGRES_DATABASE": name,
        # Tests call as the same few callers, as often as they can; those of the limit itself set their own.
        "RATE_LIMIT_PER_MINUTE": "600000",
        "RATE_LIMIT_BURST": "10000",
        # Every call reaches the database, except where the cache itself is tested.
        "QUERY_CACHE_SECONDS": "0",
    }
    return Database(cluster, name, environment)


async def _create_clone(cluster: Cluster, name: str) -> Database:
    maintenance = await cluster.superuser("postgres").open()
    try:
        await maintenance.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} OWNER zava_admin")
    finally:
        await maintenance.close()
    clone = _clone(cluster, name)
    await clone.prepare_roles()
    return clone


@pytest.fixture(scope="session")
async def database(cluster: Cluster) -> Database:
    """A database that tests only read."""
    return await _create_clone(cluster, "zava_shared")


_numbers = itertools.count(1)


@pytest.fixture
async def fresh_database(cluster: Cluster) -> Database:
    """A database of this test's own, to write into and to break."""
    return await _create_clone(cluster, f"zava_fresh_{next(_numbers)}")


@pytest.fixture(scope="module")
async def module_database(cluster: Cluster) -> Database:
    """A database of this file's own: prepared once, and then only read."""
    return await _create_clone(cluster, f"zava_fresh_{next(_numbers)}")


@pytest.fixture(scope="session")
async def application(database: Database) -> AsyncIterator[Application]:
    application = bootstrap.build(database.settings)
    yield application
    await application.pools.close()


@pytest.fixture(scope="session")
async def oracle(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection to the shared database: sees every tenant's rows."""
    connection = await database.superuser()
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def scope() -> Callable[..., TenantScope]:
    """`scope("seattle", "online")`: the scope of these stores; without names, of all."""

    def of(*slugs: str) -> TenantScope:
        return TenantScope(frozenset(store.store_id for store in STORES if not slugs or store.slug in slugs), "ab" * 32)

    return of


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Application Insights on loopback."""
    with Collector() as collector:
        yield collector


@pytest.fixture
def unused_port() -> int:
    return find_unused_port()


def find_unused_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
