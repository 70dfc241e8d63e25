"""The database's own part: logins of the two identities, schema, key, sample data, first embeddings."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import asyncpg

from scripts.patience import patiently
from zava.data import command
from zava.data.administration import AdministratorConnection, LoginLimits, prepare_roles
from zava.data.migrate import migrate
from zava.data.signing_keys import SigningKeys
from zava.data.tenant_context import SigningKey
from zava.local import sample_data
from zava.platform.settings import Settings

_PROJECT = Path(__file__).resolve().parents[1]
_ANOTHER_IS_RUNNING = 3
_NOT_YET = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError, OSError, TimeoutError)

_MAP = "SELECT pgaadauth_create_principal_with_oid($1, $2, 'service', false, false)"
_MAPPED = "SELECT objectid FROM pgaadauth_list_principals(false) WHERE rolename = $1"


class DatabaseSetup:
    """The steps, each safe to repeat.

    Args:
        administrator: whoever runs azd, with an Entra token as the password, in the app's database.
    """

    def __init__(self, administrator: AdministratorConnection) -> None:
        self._administrator = administrator

    async def logins(self, reader_object_id: str, app_object_id: str, limits: LoginLimits) -> str:
        """Let the two managed identities log in as `zava_reader` and `zava_app`, by the service's own functions.

        https://learn.microsoft.com/azure/postgresql/security/security-manage-entra-users

        Raises:
            ValueError: a role is there already and belongs to another identity.
        """
        made: list[str] = []
        # The functions exist in this database alone.
        connection = await patiently(replace(self._administrator, database="postgres").open, _not_in_yet)
        try:
            for role, object_id in (("zava_reader", reader_object_id), ("zava_app", app_object_id)):
                if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role):
                    await connection.execute(_MAP, role, object_id)
                    made.append(role)
                elif (known := await connection.fetchval(_MAPPED, role)) != object_id:
                    raise ValueError(
                        f"the role {role} belongs to {known or 'no identity'}, not to {object_id}. If the identity was "
                        "made anew, run this in the database postgres as its administrator, then start again: SECURITY "
                        f"LABEL FOR pgaadauth ON ROLE {role} IS 'aadauth,oid={object_id},type=service'"
                    )
        finally:
            await connection.close()
        await prepare_roles(self._administrator, limits=limits)
        return f"made {' and '.join(made)}" if made else "both there"

    async def schema(self) -> str:
        connection = await self._administrator.open()
        try:
            await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        finally:
            await connection.close()
        await migrate(self._administrator)
        return "up to date"

    async def signing_key(self, key: SigningKey) -> str:
        await SigningKeys(self._administrator).install(key)
        return f"{key.key_id} is accepted"

    async def sample_data(self, *, wanted: bool, scale: float) -> str:
        """Load it into an empty catalogue, with a progress bar; never beside somebody's own rows."""
        async with command.as_role(self._administrator, "zava_owner") as connection:
            if await connection.fetchval("SELECT EXISTS (SELECT FROM retail.products)"):
                return "there are products already"
        if not wanted:
            return "not wanted (SAMPLE_DATA=true loads it)"
        yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
        return f"{await sample_data.load(self._administrator, scale=scale, last_day=yesterday)} rows"

    async def embeddings(self, vault_url: str, endpoint: str, deployment: str) -> str:
        """The first run of what the timer does later, with the rights that the app's login has.

        Raises:
            OSError: it failed; what it said is on standard error.
        """
        connection = await self._administrator.open()
        try:
            await connection.execute("GRANT zava_app TO CURRENT_USER")
        finally:
            await connection.close()
        environment = command_environment(os.environ, self._administrator, vault_url, endpoint, deployment)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "zava.services.embedding_refresh", cwd=_PROJECT, env=environment
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
        if code == _ANOTHER_IS_RUNNING:
            return "another refresh is at it"
        if code != 0:
            raise OSError(f"the refresh ended with exit code {code}; its reason is above")
        return "fresh"


def command_environment(
    variables: Mapping[str, str], administrator: AdministratorConnection, vault_url: str, endpoint: str, deployment: str
) -> dict[str, str]:
    """What Zava's own commands are run with: `variables`, and the app's settings as an administrator has them."""
    # azd's own variables bear names of the app's settings, and would be half of a configuration.
    others = {name: value for name, value in variables.items() if name.lower() not in Settings.model_fields}
    return (
        others
        | administrator.environment()
        | {
            "POSTGRES_APP_USER": administrator.user,
            "POSTGRES_APP_PASSWORD": administrator.password,
            # A refresh needs no other secret; where the others are must be known all the same.
            "AZURE_KEY_VAULT_URL": vault_url,
            "EMBEDDER": "azure",
            "AZURE_OPENAI_ENDPOINT": endpoint,
            "EMBEDDING_MODEL_DEPLOYMENT_NAME": deployment,
        }
    )


def _not_in_yet(problem: Exception) -> str | None:
    """Firewall rules and administrators take minutes to arrive at a server that has just been made."""
    return f"the database does not let this login in yet ({problem})" if isinstance(problem, _NOT_YET) else None
