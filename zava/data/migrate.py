"""Brings the database's schema up to date: for the laptop's start and the deployment, never for the function app."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from zava.data.administration import AdministratorConnection
from zava.data.tls import tls


async def migrate(administrator: AdministratorConnection) -> None:
    """Apply every migration that is missing. Safe to run again; each migration is one transaction.

    `administrator` must be a member of `zava_owner` and `zava_guard` (see `zava.data.administration`).
    """
    url = URL.create(
        "postgresql+asyncpg",
        administrator.user,
        administrator.password,
        administrator.host,
        administrator.port,
        administrator.database,
    )
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"ssl": tls(administrator.sslmode)})
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def newest_migration() -> str:
    """The revision a database of this version of the code is at."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
