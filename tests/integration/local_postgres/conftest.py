"""Folders for the embedded server, where every user can reach them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from zava.local import clean, data_folder
from zava.local.postgres import LocalPostgres


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that every user can pass through (pytest's own are closed to others)."""
    base = Path(tempfile.mkdtemp())
    base.chmod(0o755)
    yield base
    for marker in list(base.rglob(data_folder.MARKER)):
        clean.remove(marker.parent)
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def original() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as base:
        Path(base).chmod(0o755)
        with LocalPostgres(Path(base) / "home", durable=False):
            pass
        yield Path(base) / "home"


@pytest.fixture
def home(folder: Path, original: Path) -> Path:
    """A data folder with a database in it, stopped."""
    subprocess.run(["cp", "-a", original, folder / "home"], check=True)  # unlike shutil, cp keeps the owners
    return folder / "home"
