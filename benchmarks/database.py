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
    """The settings of an app on this database, and the superuser that benchmarks compare with."""

    settings: Settings
    superuser: AdministratorConnection


@contextmanager
def sample_database(folder: Path, *, scale: float) -> Generator[Prepared]:
    """The laptop's own preparation, at another scale."""
    folder.chmod(0o711)  # as root the server runs as nobody
    home = folder / "data"
    with LocalPostgres(home, durable=False) as server:
        own = Secrets.of(home)
        settings = settings_of(app_settings(server, own, LocalIssuer(home)) | {"QUERY_CACHE_SECONDS": "0"})
        asyncio.run(prepare(server, own, settings, scale))
        superuser = AdministratorConnection(
            server.host, server.port, settings.postgres_database, "postgres", server.superuser_password
        )
        yield Prepared(settings, superuser)
