"""Everything a worker stands on, real or speaking the real protocol, each with a handle to break it by."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import trustme
from cryptography.fernet import Fernet

from tests.azure_standins import openai_service
from tests.azure_standins.collector import Collector
from tests.azure_standins.key_vault import HOST as VAULT_HOST
from tests.azure_standins.key_vault import URL as VAULT_URL
from tests.azure_standins.key_vault import KeyVault
from tests.azure_standins.openai_service import OpenAIService
from tests.azure_standins.search_parts import SearchParts
from tests.conftest import Cluster, Database, _create_clone
from tests.fault_table.postmaster import Postmaster
from tests.fault_table.questions import Caller, callers
from tests.fault_table.worker import Worker
from tests.loopback_issuer import LoopbackIssuer
from tests.redis_server import RedisServer
from tests.security import pgbouncer
from tests.security.canaries import Evidence
from tests.security.pgbouncer import PgBouncer
from tests.security.planted import make_planted
from zava.platform.secret_names import SecretName

_ISSUER_HOST = "issuer.zava-tests.example"
READER_POOL, APP_POOL = 6, 2
MAX_CONNECTIONS = 40
LOGINS = ("zava_reader", "zava_app")


@dataclass(slots=True)
class Stage:
    """`worker` talks to PostgreSQL itself, `pooled` through PgBouncer; both run as on Azure, with every secret in the
    vault and tokens of a managed identity. `superuser` is the tests' own eye and hand in the database."""

    database: Database
    evidence: Evidence
    superuser: asyncpg.Connection
    postmaster: Postmaster
    pooler: PgBouncer
    redis: RedisServer
    vault: KeyVault
    openai: OpenAIService
    issuer: LoopbackIssuer
    collector: Collector
    folder: Path
    callers: Sequence[Caller]
    _workers: dict[str, Worker] = field(default_factory=dict[str, Worker])

    @property
    def worker(self) -> Worker:
        return self._kept("direct", self.database)

    @property
    def pooled(self) -> Worker:
        return self._kept("pooled", self.pooler.before(self.database))

    def _kept(self, name: str, database: Database) -> Worker:
        if name not in self._workers:
            self._workers[name] = self.new_worker(database)
        return self._workers[name]

    def new_worker(self, database: Database | None = None) -> Worker:
        routes = {
            openai_service.HOST: self.openai.server.port,
            VAULT_HOST: self.vault.server.port,
            _ISSUER_HOST: urlsplit(self.issuer.jwks_url).port or 0,
        }
        log = self.folder / f"worker-{len(list(self.folder.glob('worker-*')))}.log"
        return Worker(self._environment((database or self.database).environment), routes, log)

    def _environment(self, database: Mapping[str, str]) -> dict[str, str]:
        trusted = str(self.folder / "trusted.pem")
        where = {name: database[name] for name in ("POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DATABASE")}
        own = {
            "POSTGRES_SSLMODE": "disable",
            "POSTGRES_READER_POOL_MAX": str(READER_POOL),
            "POSTGRES_APP_POOL_MAX": str(APP_POOL),
            "AZURE_KEY_VAULT_URL": VAULT_URL,
            "AUTH_JWKS_URL": f"https://{_ISSUER_HOST}/discovery/v2.0/keys",
            "EMBEDDER": "azure",
            "AZURE_OPENAI_ENDPOINT": openai_service.ENDPOINT,
            "EMBEDDING_REFRESH_SCHEDULE": "0 0 * * * *",
            "APPLICATIONINSIGHTS_CONNECTION_STRING": self.collector.connection_string,
            "RATE_LIMIT_PER_MINUTE": "600000",
            "RATE_LIMIT_BURST": "10000",
            "FLOOD_LIMIT_PER_SECOND": "100000",
            "QUERY_CACHE_BYTES": "65536",  # so little that questions asked before are looked for in Redis
            "LOG_LEVEL": "WARNING",
            "WEBSITE_SITE_NAME": "zava",
            "SSL_CERT_FILE": trusted,
            "REQUESTS_CA_BUNDLE": trusted,
            "TMPDIR": str(self.folder),
        }
        return where | self.vault.identity.environment() | own

    async def end_sessions(self, *logins: str) -> int:
        """Terminate the sessions of the app's logins; how many there were."""
        ended = await self.superuser.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY($1) AND datname = $2",
            list(logins or LOGINS),
            self.database.name,
        )
        return len(ended)

    async def sessions(self) -> list[str]:
        """The states of the app's sessions."""
        rows = await self.superuser.fetch(
            "SELECT coalesce(state, '') FROM pg_stat_activity WHERE usename = ANY($1) AND datname = $2",
            list(LOGINS),
            self.database.name,
        )
        return [str(row[0]) for row in rows]

    async def reopen_superuser(self) -> None:
        """After the server was away."""
        self.superuser.terminate()
        self.superuser = await self.database.superuser()

    def stop_workers(self) -> None:
        for worker in self._workers.values():
            worker.stop()
        self._workers.clear()


@asynccontextmanager
async def opened(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Stage]:
    """The stage, with every store's canaries planted; the cluster's own server is another process afterwards."""
    database = await _create_clone(cluster, "zava_fault_table")
    await make_planted(database)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zava-fault-table-")))
        authority = trustme.CA()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(_ISSUER_HOST).configure_cert(tls)
        issuer = stack.enter_context(LoopbackIssuer(tls))
        openai = stack.enter_context(openai_service.running(folder, monkeypatch))
        async with SearchParts(database) as parts:
            await parts.embed_catalogue()
        vault = KeyVault()
        vault.identity.token = openai_service.TOKEN  # one token for everything, as its endpoint here hands out one
        redis = stack.enter_context(RedisServer())
        vault.secrets |= _secrets(cluster, redis)
        stack.enter_context(vault.running(monkeypatch, folder))
        authority.cert_pem.write_to_path(str(folder / f"{_ISSUER_HOST}.pem"))
        trusted = b"".join(file.read_bytes() for file in folder.glob("*.pem"))
        (folder / "trusted.pem").write_bytes(trusted)
        collector = stack.enter_context(Collector())

        superuser = await database.superuser()
        data = Path(str(await superuser.fetchval("SHOW data_directory")))
        evidence = await Evidence.collect(superuser)
        await superuser.close()
        postmaster = Postmaster.taken_over(data, f"max_connections={MAX_CONNECTIONS}")
        stack.callback(postmaster.stop)
        stage = Stage(
            database=database,
            evidence=evidence,
            superuser=await database.superuser(),
            postmaster=postmaster,
            pooler=stack.enter_context(pgbouncer.running(cluster)),
            redis=redis,
            vault=vault,
            openai=openai,
            issuer=issuer,
            collector=collector,
            folder=folder,
            callers=callers(issuer.mint),
        )
        try:
            yield stage
        finally:
            stage.stop_workers()
            with contextlib.suppress(OSError, asyncpg.InterfaceError):
                await stage.superuser.close(timeout=5)


def _secrets(cluster: Cluster, redis: RedisServer) -> dict[str, str]:
    return {
        SecretName.POSTGRES_PASSWORD: cluster.secrets.reader_password,
        SecretName.POSTGRES_APP_PASSWORD: cluster.secrets.app_password,
        SecretName.TENANT_SIGNING_KEY: cluster.secrets.tenant_signing_key,
        SecretName.REDIS_URL: redis.url,
        SecretName.CACHE_ENCRYPTION_KEY: Fernet.generate_key().decode(),
    }
