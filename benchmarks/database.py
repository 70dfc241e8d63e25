"""A database with the sample's schema and data for one benchmark run."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zava.data.administration import AdministratorConnection
from zava.local.environment import Secrets, app_settings, prepare, settings_of
from zava.local.postgres import LocalPostgres
from zava.local.token_issuer import LocalIssuer
from zava.platform.settings import Settings


@dataclass(frozen=True, slots=True)
class Prepared:
    """The settings of an app on this database, who signs its tokens, and the superuser that benchmarks compare with."""

    environment: dict[str, str]
    settings: Settings
    issuer: LocalIssuer
    superuser: AdministratorConnection


@contextmanager
def sample_database(folder: Path, *, scale: float) -> Generator[Prepared]:
    """The laptop's own preparation, at another scale."""
    folder.chmod(0o711)  # as root the server runs as nobody
    home = folder / "data"
    with LocalPostgres(home, durable=False) as server:
        own = Secrets.of(home)
        issuer = LocalIssuer(home)
        environment = app_settings(server, own, issuer) | {"QUERY_CACHE_SECONDS": "0", "LOG_LEVEL": "ERROR"}
        settings = settings_of(environment)
        asyncio.run(prepare(server, own, settings, scale))
        superuser = AdministratorConnection(
            server.host, server.port, settings.postgres_database, "postgres", server.superuser_password
        )
        yield Prepared(environment, settings, issuer, superuser)
