"""What `azd provision` leaves behind, on loopback: an empty database, a vault, a model, and azd signed in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tests.azure_standins import key_vault, openai_service, resource_manager
from tests.azure_standins.key_vault import KeyVault
from tests.azure_standins.openai_service import OpenAIService
from tests.azure_standins.resource_manager import ResourceManagerStandIn
from zava.data.administration import AdministratorConnection
from zava.local.postgres import LocalPostgres

PROJECT = Path(__file__).resolve().parents[2]
DEPLOYER = "deployer@zava.example"
DATABASE_TOKEN = "a-token-for-the-database"
NEXT_MODEL = "the-next-embedding-model"
READER_ID, APP_ID = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))

# As Azure's are written: plain functions, so the role belongs to whoever calls.
_ENTRA = """
CREATE TABLE public.entra (rolename text PRIMARY KEY, objectid text, principaltype text);
GRANT ALL ON public.entra TO PUBLIC;
CREATE FUNCTION pg_catalog.pgaadauth_create_principal_with_oid(
    rolename text, objectid text, objecttype text, isadmin boolean, ismfa boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE ROLE %I LOGIN', rolename);
    INSERT INTO public.entra VALUES (rolename, objectid, objecttype);
    RETURN 'Created role for ' || rolename;
END $$;
CREATE FUNCTION pg_catalog.pgaadauth_list_principals(isadmin boolean)
    RETURNS TABLE (rolename text, principaltype text, objectid text) LANGUAGE sql AS
    'SELECT rolename, principaltype, objectid FROM public.entra';
"""
_AZD = """#!{python}
import json, sys
scope = sys.argv[sys.argv.index("--scope") + 1]
print(json.dumps({{"token": {tokens}[scope], "expiresOn": "2099-01-01T00:00:00Z"}}))
"""


@dataclass(frozen=True, slots=True)
class Azure:
    server: LocalPostgres
    manager: ResourceManagerStandIn
    vault: KeyVault
    model: OpenAIService
    environment: dict[str, str]

    def hook(self, **changes: str) -> subprocess.Popen[str]:
        """The hook as azd starts it, in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "scripts/postprovision.py"],
            cwd=PROJECT,
            env=os.environ | self.environment | changes,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def superuser(self, database: str = "zava") -> asyncpg.Connection:
        password = self.server.superuser_password
        return await AdministratorConnection(self.server.host, self.server.port, database, "postgres", password).open()


@contextmanager
def provisioned(folder: Path) -> Generator[Azure]:
    """Everything there and empty, while the block runs."""
    home = folder / "server"
    vault, manager = KeyVault(), ResourceManagerStandIn()
    model = OpenAIService(frozenset({openai_service.DEPLOYMENT, NEXT_MODEL}))
    with (
        LocalPostgres(home, durable=False) as server,
        vault.server,
        vault.identity.server,
        model.server,
        manager.server,
    ):
        authorities = folder / "authorities.pem"
        files = [each.trust_file(folder) for each in (vault.server, model.server, manager.server)]
        authorities.write_text("".join(file.read_text("utf-8") for file in files))
        routes = {
            key_vault.HOST: vault.server.port,
            openai_service.HOST: model.server.port,
            resource_manager.HOST: manager.server.port,
        }
        environment = {
            "AZURE_ENV_NAME": f"test-{uuid.uuid4().hex}",
            "AZURE_SUBSCRIPTION_ID": str(uuid.UUID(int=3)),
            "AZURE_RESOURCE_GROUP": "rg-zava",
            "AZURE_KEY_VAULT_NAME": "zavavault",
            "AZURE_KEY_VAULT_URL": key_vault.URL,
            "POSTGRES_SERVER_NAME": "psql-zava",
            "POSTGRES_HOST": server.host,
            "POSTGRES_ADMIN_PORT": str(server.port),
            "POSTGRES_SSLMODE": "disable",
            "POSTGRES_DATABASE": "zava",
            "POSTGRES_ADMIN_USER": DEPLOYER,
            "READER_IDENTITY_OBJECT_ID": READER_ID,
            "APP_IDENTITY_OBJECT_ID": APP_ID,
            "AZURE_OPENAI_ENDPOINT": openai_service.ENDPOINT,
            "EMBEDDING_MODEL_DEPLOYMENT_NAME": openai_service.DEPLOYMENT,
            "POSTGRES_READER_CONNECTION_LIMIT": "12",
            "POSTGRES_APP_CONNECTION_LIMIT": "6",
            "AUTH_ENTRA_CLIENT_ID": str(uuid.UUID(int=4)),
            "DEPLOYER_ADDRESS": "203.0.113.7",
            "SAMPLE_DATA": "true",
            "SAMPLE_DATA_SCALE": "0.01",
            "TQDM_DISABLE": "1",
            "PATH": f"{_azd(folder, vault.identity.token)}:{os.environ['PATH']}",
            "PYTHONPATH": f"{Path(__file__).parent / 'child_process'}:{PROJECT}",
            "ZAVA_TEST_ROUTES": json.dumps(routes),
            "SSL_CERT_FILE": str(authorities),
            "REQUESTS_CA_BUNDLE": str(authorities),
        }
        yield Azure(server, manager, vault, model, environment)


async def empty_database(azure: Azure) -> None:
    """The state right after provisioning, from whatever state the server is in."""
    connection = await azure.superuser("postgres")
    try:
        await connection.execute("DROP DATABASE IF EXISTS zava WITH (FORCE)")
        for role in ("zava_reader", "zava_app", "zava_owner", "zava_guard"):
            await connection.execute(f"DROP ROLE IF EXISTS {role}")
        if not await connection.fetchval("SELECT to_regclass('public.entra')"):
            await connection.execute(_ENTRA)
            await connection.execute(
                f"CREATE ROLE \"{DEPLOYER}\" LOGIN CREATEROLE CREATEDB PASSWORD '{DATABASE_TOKEN}'"
            )
        await connection.execute("TRUNCATE public.entra")
        await connection.execute(f'CREATE DATABASE zava OWNER "{DEPLOYER}"')
    finally:
        await connection.close()
    connection = await azure.superuser()
    try:
        await connection.execute("CREATE EXTENSION vector")  # there the administrator may, here only a superuser
    finally:
        await connection.close()
    azure.vault.secrets.clear()
    azure.manager.rules.clear()
    azure.manager.calls.clear()


def _azd(folder: Path, vault_token: str) -> Path:
    tokens = {
        "https://management.azure.com/.default": resource_manager.TOKEN,
        "https://vault.azure.net/.default": vault_token,
        "https://ossrdbms-aad.database.windows.net/.default": DATABASE_TOKEN,
        "https://cognitiveservices.azure.com/.default": openai_service.TOKEN,
    }
    file = folder / "bin" / "azd"
    file.parent.mkdir()
    file.write_text(_AZD.format(python=sys.executable, tokens=tokens))
    file.chmod(0o755)
    return file.parent
