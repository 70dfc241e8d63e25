"""The embedded PostgreSQL starts for anybody and says in one sentence what is wrong."""

from __future__ import annotations

import re
import stat
import sys
from pathlib import Path
from typing import Literal

import asyncpg
import pytest

from tests.integration.local_postgres.servers import (
    ROOT,
    ask,
)
from zava.local import clean, data_folder, postgres_files
from zava.local.postgres import LocalPostgres, LocalPostgresError


@pytest.mark.parametrize("version", ["16", "18"])
async def test_a_new_folder_becomes_a_loopback_server_with_pgvector(folder: Path, version: Literal["16", "18"]) -> None:
    with LocalPostgres(folder / "new", version=version, durable=False) as server:
        assert await ask(server, "SHOW server_version_num") == {"16": "160014", "18": "180004"}[version]
        await ask(server, "CREATE EXTENSION vector")
        assert await ask(server, "SELECT '[1,2]'::vector <=> '[1,2]'") == 0
        settings = [
            "listen_addresses",
            "unix_socket_directories",
            "server_encoding",
            "password_encryption",
            "fsync",
            "timezone",
        ]
        found = [await ask(server, f"SHOW {name}") for name in settings]
        assert found == ["127.0.0.1", "", "UTF8", "scram-sha-256", "off", "UTC"]
        assert await ask(server, "SELECT datcollate FROM pg_database WHERE datname = 'postgres'") == "C.UTF-8"
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(server, "SELECT 1", password="wrong")


async def test_a_durable_server_keeps_its_data_and_its_password_and_syncs(folder: Path) -> None:
    with LocalPostgres(folder / "kept") as server:
        await ask(server, "CREATE TABLE kept AS SELECT 42 AS answer")
        password = server.superuser_password
    with LocalPostgres(folder / "kept") as server:
        assert server.superuser_password == password
        assert await ask(server, "SELECT answer FROM kept") == 42
        assert [await ask(server, f"SHOW {name}") for name in ("fsync", "full_page_writes")] == ["on", "on"]


async def test_any_folder_name_works(folder: Path) -> None:
    with LocalPostgres(folder / "a space" / "quote's $HOME ünïcode", durable=False) as server:
        assert await ask(server, "SELECT 1") == 1


async def test_secrets_are_for_the_owner_only_and_foreign_folders_keep_their_modes(folder: Path) -> None:
    before = {path: path.stat().st_mode for path in (folder, *folder.parents, Path(sys.executable).resolve().parent)}
    with LocalPostgres(folder / "home", durable=False):
        pass
    assert {path: path.stat().st_mode for path in before} == before
    home = (folder / "home").resolve()
    modes = {
        path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in (home, *home.iterdir(), *home.glob("postgres/*"))
    }
    passage = "0o711" if ROOT else "0o700"
    assert modes == {
        "home": passage,
        "postgres": passage,
        "data": "0o700",
        "superuser-password": "0o600",
        "postgres.log": "0o600",
        data_folder.MARKER: "0o600",
    }


async def test_a_folder_closed_to_others_works(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    home = closed / "home"
    for _ in range(2):
        with LocalPostgres(home, durable=False) as server:
            assert await ask(server, "SELECT 1") == 1
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert (home / "postgres").is_symlink() == ROOT
    clean.remove(home)
    assert not data_folder.elsewhere(home).exists()


def test_a_failed_start_frees_the_folder(home: Path) -> None:
    version = home / "postgres" / "data" / "PG_VERSION"
    version.write_text("18\n")
    for _ in range(2):
        with pytest.raises(LocalPostgresError, match="was made by PostgreSQL 18 and this is 16: name another folder"):
            LocalPostgres(home).__enter__()


def test_a_lost_password_file_gets_one_sentence(home: Path) -> None:
    (home / "postgres" / "superuser-password").unlink()
    with pytest.raises(LocalPostgresError, match="has lost its password file: start afresh with make clean-data"):
        LocalPostgres(home).__enter__()


def test_a_damaged_database_gets_one_sentence_with_what_postgres_said(home: Path) -> None:
    (home / "postgres" / "data" / "global" / "pg_control").unlink()
    with pytest.raises(LocalPostgresError, match=r"^PostgreSQL does not start \(.*pg_control.*\): see .*postgres\.log"):
        LocalPostgres(home).__enter__()


@pytest.mark.parametrize("what", ["a folder with other files", "a file", "below a file"])
def test_what_is_not_a_data_folder_is_left_alone(folder: Path, what: str) -> None:
    (folder / "theirs").mkdir()
    (folder / "theirs" / "note.txt").write_text("mine")
    home, sentence = {
        "a folder with other files": (folder / "theirs", "already holds other files: name a new or empty folder"),
        "a file": (folder / "theirs" / "note.txt", "is not a folder: name another one with DATA="),
        "below a file": (folder / "theirs" / "note.txt" / "home", "is not a folder: name another one with DATA="),
    }[what]
    with pytest.raises(LocalPostgresError, match=sentence):
        LocalPostgres(home).__enter__()
    assert [path.name for path in (folder / "theirs").iterdir()] == ["note.txt"]


def test_a_missing_package_gets_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_files, "_PACKAGE", "not_there")
    with pytest.raises(
        LocalPostgresError, match=re.escape("The embedded PostgreSQL is not installed: run make install.")
    ):
        LocalPostgres(folder / "home").__enter__()
