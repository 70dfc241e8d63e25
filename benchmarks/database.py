"""A database of the sample's schema and data for one benchmark run."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from zava.local.environment import prepared, settings_of
from zava.platform.settings import Settings


@contextmanager
def sample_database(home: Path, *, scale: float) -> Generator[Settings]:
    """The laptop's own preparation, at another scale; nothing is synced to disk for it."""
    with prepared(home, scale=scale) as environment:
        yield settings_of(environment)
