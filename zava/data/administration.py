"""What an administrator does to a database before and beside the migrations: roles and their limits.

Needs no superuser: on Azure there is none. `CREATE EXTENSION vector` aside (allowed there, done by the superuser on a
laptop), a login with CREATEROLE that owns the database is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import asyncpg

from zava.data.retail_schema import RETAIL_SCHEMA
from zava.data.tls import tls


@dataclass(frozen=True, slots=True)
class AdministratorConnection:
    """How the administrator reaches the database."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    sslmode: str = "disable"

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> AdministratorConnection:
        """From the app's own settings and POSTGRES_ADMIN_USER, POSTGRES_ADMIN_PASSWORD. Raises KeyError."""
        return cls(
            environment["POSTGRES_HOST"],
            int(environment.get("POSTGRES_PORT", "5432")),
            environment.get("POSTGRES_DATABASE", "zava"),
            environment["POSTGRES_ADMIN_USER"],
            environment["POSTGRES_ADMIN_PASSWORD"],
            environment.get("POSTGRES_SSLMODE", "verify-full"),
        )

    def environment(self) -> dict[str, str]:
        """What `of_environment` reads, for a command in a process of its own. Holds the password."""
        return {
            "POSTGRES_HOST": self.host,
            "POSTGRES_PORT": str(self.port),
            "POSTGRES_DATABASE": self.database,
            "POSTGRES_SSLMODE": self.sslmode,
            "POSTGRES_ADMIN_USER": self.user,
            "POSTGRES_ADMIN_PASSWORD": self.password,
        }

    async def open(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=self.host,
            port=self.port,
            database=self.database,
            user=self.user,
            password=self.password,
            ssl=tls(self.sslmode),
        )


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """Limits that sit on the roles, because a pooler does not pass start-up parameters on."""

    reader_connections: int = 25
    app_connections: int = 10


# A role's settings are defaults that its sessions could change; every transaction of the app goes back to them.
_READER_SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "30s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "40s",
    "work_mem": "16MB",
    "hash_mem_multiplier": "1",
    "jit": "off",
    # One call, one core: parallel workers would let one tenant's statement take the whole machine.
    "max_parallel_workers_per_gather": "0",
    "search_path": f"pg_catalog, {RETAIL_SCHEMA}, public",
}
_APP_SETTINGS = {
    "statement_timeout": "60s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
    "search_path": "pg_catalog, public",
}


async def prepare_roles(
    administrator: AdministratorConnection,
    *,
    reader_password: str | None = None,
    app_password: str | None = None,
    limits: LoginLimits = LoginLimits(),
) -> None:
    """Create or mend the four roles, the three schemas and the privileges on the database. Safe to run again.

    Without a password a login is left as it is: on Azure its identity's token takes the password's place.
    """
    connection = await administrator.open()
    try:
        async with connection.transaction():
            for role in ("zava_owner", "zava_guard", "zava_reader", "zava_app"):
                if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                    await connection.execute(f"CREATE ROLE {role}")
            for role in ("zava_owner", "zava_guard"):
                await connection.execute(f"ALTER ROLE {role} NOLOGIN NOCREATEDB NOCREATEROLE NOINHERIT")
                await connection.execute(f"GRANT {role} TO CURRENT_USER")
            for role, password, most in (
                ("zava_reader", reader_password, limits.reader_connections),
                ("zava_app", app_password, limits.app_connections),
            ):
                await connection.execute(
                    f"ALTER ROLE {role} LOGIN NOCREATEDB NOCREATEROLE NOINHERIT CONNECTION LIMIT {most}"
                )
                if password is not None:
                    await _execute_formatted(connection, "ALTER ROLE %I PASSWORD %L", role, password)
            await _set_defaults(connection, administrator.database, "zava_reader", _READER_SETTINGS)
            await _set_defaults(connection, administrator.database, "zava_app", _APP_SETTINGS)
            await _execute_formatted(connection, "REVOKE ALL ON DATABASE %I FROM PUBLIC", administrator.database)
            await _execute_formatted(
                connection, "GRANT CONNECT ON DATABASE %I TO zava_reader, zava_app", administrator.database
            )
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {RETAIL_SCHEMA} AUTHORIZATION zava_owner")
            await connection.execute("CREATE SCHEMA IF NOT EXISTS zava AUTHORIZATION zava_owner")
            await connection.execute("CREATE SCHEMA IF NOT EXISTS guard AUTHORIZATION zava_guard")
    finally:
        await connection.close()


async def _set_defaults(connection: asyncpg.Connection, database: str, role: str, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        # search_path is a list: quoted as one literal it would name one strange schema.
        literal = "%4$s" if name == "search_path" else "%4$L"
        await _execute_formatted(
            connection, f"ALTER ROLE %1$I IN DATABASE %2$I SET %3$I = {literal}", role, database, name, value
        )


async def _execute_formatted(connection: asyncpg.Connection, template: str, *arguments: str) -> None:
    """Run a utility statement, which takes no bind parameters, with identifiers and literals quoted by PostgreSQL."""
    names = ", ".join(f"${position}::text" for position in range(2, len(arguments) + 2))
    statement: object = await connection.fetchval(f"SELECT format($1, {names})", template, *arguments)
    await connection.execute(str(statement))
