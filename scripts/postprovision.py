"""Makes what `azd provision` built ready for the app: keys, database roles, schema, data, embeddings.

azd runs it after every provision. By hand: azd hooks run postprovision

It is safe to run again: what is there already is kept, and after a failure it goes on where it stopped. The database is
opened to this machine's address alone, and closed again at the end, also when a step fails. Needs Python 3.11 to 3.13
and a signed-in `azd` (or `az`); reads the outputs of `infra/main.bicep` from the environment, which azd sets.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

import asyncpg  # noqa: E402
import httpx2  # noqa: E402
from azure.core.exceptions import AzureError  # noqa: E402

from scripts.database import DatabaseSetup  # noqa: E402
from scripts.resource_manager import (  # noqa: E402
    SCOPE,
    ResourceManager,
    ResourceManagerError,
    reachable,
    restart_if_parameters_wait,
)
from scripts.vault import VaultSetup  # noqa: E402
from zava.data.administration import AdministratorConnection, LoginLimits  # noqa: E402
from zava.errors import MCPError  # noqa: E402
from zava.platform.credential import SharedCredential, azure_credential  # noqa: E402
from zava.platform.database_login import SCOPE as POSTGRES_SCOPE  # noqa: E402
from zava.platform.secret_source import key_vault_client  # noqa: E402

_ADDRESS_ECHO = "https://api.ipify.org"


class SetupError(Exception):
    """What a person has to mend, as one sentence."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The outputs of the infrastructure that the steps need; all texts."""

    subscription: str
    resource_group: str
    vault_name: str
    vault_url: str
    server_name: str
    host: str
    database: str
    administrator: str
    reader_object_id: str
    app_object_id: str
    openai_endpoint: str
    embedding_deployment: str
    reader_connections: int
    app_connections: int
    app_registration: str
    address: str
    folder: Path
    port: int
    sslmode: str
    private_networking: bool
    sample_data: bool
    sample_scale: float

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Deployment:
        """Raises SetupError with every missing name."""
        names = {
            "subscription": "AZURE_SUBSCRIPTION_ID",
            "resource_group": "AZURE_RESOURCE_GROUP",
            "vault_name": "AZURE_KEY_VAULT_NAME",
            "vault_url": "AZURE_KEY_VAULT_URL",
            "server_name": "POSTGRES_SERVER_NAME",
            "host": "POSTGRES_HOST",
            "database": "POSTGRES_DATABASE",
            "administrator": "POSTGRES_ADMIN_USER",
            "reader_object_id": "READER_IDENTITY_OBJECT_ID",
            "app_object_id": "APP_IDENTITY_OBJECT_ID",
            "openai_endpoint": "AZURE_OPENAI_ENDPOINT",
            "embedding_deployment": "EMBEDDING_MODEL_DEPLOYMENT_NAME",
        }
        limits = ("POSTGRES_READER_CONNECTION_LIMIT", "POSTGRES_APP_CONNECTION_LIMIT")
        missing = [name for name in (*names.values(), *limits) if not environment.get(name)]
        if missing:
            raise SetupError(
                f"These values are missing: {', '.join(missing)}. Run this through azd (azd hooks run postprovision), "
                "after azd provision has succeeded."
            )
        return cls(
            **{field: environment[name] for field, name in names.items()},
            reader_connections=int(environment["POSTGRES_READER_CONNECTION_LIMIT"]),
            app_connections=int(environment["POSTGRES_APP_CONNECTION_LIMIT"]),
            app_registration=environment.get("AUTH_ENTRA_CLIENT_ID", ""),
            address=environment.get("DEPLOYER_ADDRESS", ""),
            folder=PROJECT / ".azure" / environment.get("AZURE_ENV_NAME", ""),
            # The pooler is for the app: roles and migrations need sessions of their own.
            port=int(environment.get("POSTGRES_ADMIN_PORT", "5432")),
            sslmode=environment.get("POSTGRES_SSLMODE", "verify-full"),
            private_networking=environment.get("PRIVATE_NETWORKING", "").lower() == "true",
            sample_data=environment.get("SAMPLE_DATA", "").lower() == "true",
            sample_scale=float(environment.get("SAMPLE_DATA_SCALE", "1")),
        )

    @property
    def server(self) -> str:
        return self._resource("Microsoft.DBforPostgreSQL/flexibleServers", self.server_name)

    @property
    def vault(self) -> str:
        return self._resource("Microsoft.KeyVault/vaults", self.vault_name)

    def administrator_connection(self, token: str) -> AdministratorConnection:
        return AdministratorConnection(
            host=self.host,
            port=self.port,
            database=self.database,
            user=self.administrator,
            password=token,
            sslmode=self.sslmode,
        )

    def _resource(self, kind: str, name: str) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}/providers/{kind}/{name}"


class Steps:
    """Runs one step after the other, says which, how long it took, and where it failed."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    async def run(self, name: str, work: Callable[[], Awaitable[str]]) -> None:
        """`work` returns what it did, in a few words. Raises SetupError that names the step."""
        position = f"[{self._done + 1}/{self._total}] {name}"
        print(f"{position} ...", flush=True)
        started = time.monotonic()
        try:
            done = await work()
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError, AzureError, MCPError) as problem:
            raise SetupError(f"{position} failed: {problem or type(problem).__name__}") from problem
        except (ResourceManagerError, SetupError) as problem:
            raise SetupError(f"{position} failed: {problem}") from problem
        self._done += 1
        print(f"{position}: {done} ({time.monotonic() - started:.1f} s)", flush=True)


async def set_up(deployment: Deployment) -> None:
    """Every step, inside the time in which the database can be reached. Raises SetupError."""
    credential = SharedCredential(lambda: azure_credential("", on_azure=False))
    vault = VaultSetup(key_vault_client(deployment.vault_url, credential), deployment.folder)
    steps = Steps(7)
    async with httpx2.AsyncClient() as client:
        manager = ResourceManager(lambda: credential.token(SCOPE), client)
        address = await own_address(deployment.address, client)
        server = deployment.server
        await steps.run("Parameters of the server", lambda: restart_if_parameters_wait(manager, server))
        opening = reachable(
            manager,
            server,
            deployment.vault,
            address,
            private_networking=deployment.private_networking,
        )
        try:
            print(f"Opening the database to {address}, until this is done ...", flush=True)
            async with opening:
                await steps.run("Keys in the vault", lambda: vault.keys(operator=not deployment.app_registration))
                database = DatabaseSetup(deployment.administrator_connection(await credential.token(POSTGRES_SCOPE)))
                await steps.run("Logins of the two identities", lambda: _logins(deployment, database))
                await steps.run("Schema", database.schema)
                await steps.run("Signing key in the database", lambda: _signing_key(vault, database))
                await steps.run("Sample data", lambda: _sample_data(deployment, database))
                await steps.run("Embeddings", lambda: _embeddings(deployment, database))
        except ResourceManagerError as problem:
            raise SetupError(f"Opening or closing the database's firewall failed: {problem}") from problem
        except AzureError as problem:
            raise SetupError(f"Signing in to Azure failed (azd auth login): {problem}") from problem
    print("The environment is ready. Next: azd deploy (azd up goes on by itself).", flush=True)


async def _logins(deployment: Deployment, database: DatabaseSetup) -> str:
    limits = LoginLimits(deployment.reader_connections, deployment.app_connections)
    return await database.logins(deployment.reader_object_id, deployment.app_object_id, limits)


async def _signing_key(vault: VaultSetup, database: DatabaseSetup) -> str:
    return await database.signing_key(await vault.tenant_signing_key())


async def _sample_data(deployment: Deployment, database: DatabaseSetup) -> str:
    return await database.sample_data(wanted=deployment.sample_data, scale=deployment.sample_scale)


async def _embeddings(deployment: Deployment, database: DatabaseSetup) -> str:
    if deployment.private_networking:
        return "left to the timer, since the model cannot be reached from here"
    return await database.embeddings(deployment.vault_url, deployment.openai_endpoint, deployment.embedding_deployment)


async def own_address(configured: str, client: httpx2.AsyncClient) -> str:
    """The one IPv4 address the database is opened to: as configured, or this machine's as Azure sees it.

    Raises:
        SetupError: it is not known, or would open the database to more than one machine.
    """
    text = configured
    if not text:
        try:
            answer = await client.get(_ADDRESS_ECHO, timeout=20)
            text = answer.raise_for_status().text.strip()
        except httpx2.HTTPError as problem:
            raise SetupError(
                "This machine's public address is not known, which the database's firewall must let in. Set it: "
                "azd env set DEPLOYER_ADDRESS <IPv4 address>"
            ) from problem
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise SetupError(f"{text[:60]!r} is no IPv4 address: azd env set DEPLOYER_ADDRESS <IPv4 address>") from None
    if address.is_unspecified:  # to the database's firewall this one means all of Azure
        raise SetupError(f"{address} is no address of one machine: azd env set DEPLOYER_ADDRESS <IPv4 address>")
    return str(address)


def main(arguments: Sequence[str]) -> int:
    """0 when everything is ready, 1 with one sentence on standard error, 130 or 143 when it was stopped."""
    argparse.ArgumentParser(
        prog="azd hooks run postprovision", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(arguments)
    # As an exception, so that the firewall rule is taken away also when a pipeline is cancelled.
    signal.signal(signal.SIGTERM, _stop)
    try:
        asyncio.run(set_up(Deployment.of(os.environ)))
    except SetupError as problem:
        print(f"{problem}\nNothing is lost: mend it and run azd hooks run postprovision again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. Run azd hooks run postprovision to go on.", file=sys.stderr)
        return 130
    return 0


def _stop(_number: int, _frame: object) -> None:
    sys.exit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
