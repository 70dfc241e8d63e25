"""The embedded PostgreSQL: it starts for anybody, ends with its owner, and says in one sentence what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import asyncpg
import psutil
import pytest

from zava.local import clean, data_folder, postgres_files
from zava.local.postgres import LocalPostgres, LocalPostgresError

ROOT = os.geteuid() == 0
CHECKOUT = Path(__file__).parents[2]
HOLD = """
import os, sys
from pathlib import Path
from zava.local.postgres import LocalPostgres, LocalPostgresError
try:
    with LocalPostgres(Path(sys.argv[1]), durable=False) as server:
        print(server.port, server.superuser_password, flush=True)
        sys.stdin.read()
except LocalPostgresError as problem:
    sys.exit(str(problem))
"""


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


@dataclass(frozen=True)
class Holder:
    """Another process with a server in it."""

    process: subprocess.Popen[str]
    port: int
    password: str


@contextlib.contextmanager
def held_by_another_process(home: Path, *, uid: int | None = None) -> Generator[Holder]:
    interpreter = sys.executable if uid is None else interpreter_for_everybody()
    packages = str(Path(psutil.__file__).parents[1])
    process = subprocess.Popen(
        [interpreter, "-c", HOLD, str(home)],
        cwd="/",
        env={"PYTHONPATH": f"{CHECKOUT}:{packages}", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline().split()
        assert line, process.stderr.read()
        yield Holder(process, int(line[0]), line[1])
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()
        process.stderr.close()


def interpreter_for_everybody() -> str:
    for name in (sys.executable, "/usr/bin/python3"):
        path = Path(name).resolve()
        if path.exists() and all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents)):
            question = [name, "-c", "import sys; print(sys.version_info >= (3, 11))"]
            if subprocess.run(question, check=True, capture_output=True).stdout == b"True\n":
                return name
    pytest.skip("no Python 3.11 or newer that an ordinary user may run")


async def ask(server: LocalPostgres | Holder, sql: str, password: str | None = None) -> object:
    if password is None:
        password = server.superuser_password if isinstance(server, LocalPostgres) else server.password
    connection = await asyncpg.connect(
        host="127.0.0.1", port=server.port, user="postgres", password=password, database="postgres"
    )
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def start_as_the_server(command: list[str | Path]) -> subprocess.Popen[bytes]:
    account = postgres_files.server_account()
    if not ROOT:
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)
    return subprocess.Popen(
        command, stderr=subprocess.DEVNULL, cwd="/", user=account.uid, group=account.gid, extra_groups=[]
    )


def wait_until_gone(pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(20)


def is_alive(pid: int, cpu_seconds: float = 0) -> bool:
    """Whether a process runs and has used that much CPU; one that ended and waits to be reaped does not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.cpu_times().user >= cpu_seconds
    return False


def server_pid(home: Path) -> int:
    return int((home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


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


@pytest.mark.skipif(not ROOT, reason="only root runs the server as somebody else")
class TestAsRoot:
    async def test_programs_that_nobody_cannot_read_are_copied(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def cannot_reach_programs(account: postgres_files.Account, path: Path) -> bool:
            return "pginstall" not in str(path)

        monkeypatch.setattr(postgres_files.Account, "can_reach", cannot_reach_programs)
        for _ in range(2):
            with LocalPostgres(folder / "home", durable=False) as server:
                assert await ask(server, "SELECT 1") == 1
                assert Path(psutil.Process(server_pid(folder / "home")).exe()).is_relative_to(folder / "home")

    def test_what_an_earlier_folder_of_the_same_name_left_is_not_used(self, folder: Path) -> None:
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        with LocalPostgres(closed / "home", durable=False) as server:
            password = server.superuser_password
        shutil.rmtree(closed / "home")
        with LocalPostgres(closed / "home", durable=False) as server:
            assert server.superuser_password != password

    def test_a_moved_folder_is_refused(self, folder: Path) -> None:
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        with LocalPostgres(closed / "home", durable=False):
            pass
        (closed / "home").rename(closed / "moved")
        with pytest.raises(
            LocalPostgresError, match=r"was moved or copied, and its database stayed behind in /var/tmp/"
        ):
            LocalPostgres(closed / "moved").__enter__()
        (closed / "moved").rename(closed / "home")

    def test_a_prepared_trap_in_the_shared_temporary_folder_is_refused(self, folder: Path) -> None:
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        trap = data_folder.elsewhere(closed / "home")
        trap.symlink_to(folder)
        try:
            with pytest.raises(LocalPostgresError, match="belongs to somebody else"):
                LocalPostgres(closed / "home").__enter__()
        finally:
            trap.unlink()

    async def test_an_ordinary_user_needs_nothing_of_root(self, folder: Path) -> None:
        nobody = postgres_files.server_account().uid
        os.chown(folder, nobody, nobody)
        home = folder / "a space"
        for round_ in range(2):
            with held_by_another_process(home, uid=nobody) as holder:
                assert await ask(holder, "SELECT 1") == 1
                assert psutil.Process(server_pid(home)).uids().real == nobody, round_
        assert {path.owner() for path in (home, *home.rglob("*"))} == {"nobody"}
        with held_by_another_process(home, uid=nobody) as holder:
            holder.process.kill()
            wait_until_gone(server_pid(home))

    async def test_a_folder_that_an_ordinary_user_cannot_write_gets_one_sentence(self, folder: Path) -> None:
        nobody = postgres_files.server_account().uid
        with (
            pytest.raises(AssertionError, match=r"cannot be written by this user: name another folder with DATA="),
            held_by_another_process(folder / "home", uid=nobody),
        ):
            pass

    async def test_a_full_disk_gets_one_sentence(self, folder: Path) -> None:
        disk = folder / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "none", disk]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("this root may not mount")
        try:
            with pytest.raises(LocalPostgresError, match=r"^The disk that holds .* is full: free about 1 GB"):
                LocalPostgres(disk / "home", durable=False).__enter__()
            assert not list((disk / "home" / "postgres").glob("data.new-*"))
        finally:
            subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda end: end.name)
async def test_the_server_ends_when_its_process_is_ended(home: Path, end: signal.Signals) -> None:
    if end is not signal.SIGINT and sys.platform != "linux":
        pytest.skip("only Linux tells a server that its parent died; elsewhere the next start stops it")
    with held_by_another_process(home) as holder:
        await ask(holder, "CREATE TABLE kept AS SELECT 42 AS answer")
        pid = server_pid(home)
        holder.process.send_signal(end)
        holder.process.wait(20)
        wait_until_gone(pid)
    with LocalPostgres(home, durable=False) as server:
        assert await ask(server, "SELECT answer FROM kept") == 42


async def test_a_start_right_after_a_kill_waits_for_the_server_on_its_way_down(home: Path) -> None:
    with held_by_another_process(home) as holder:
        pid = server_pid(home)
        holder.process.kill()
        holder.process.wait(20)
        with LocalPostgres(home, durable=False) as server:
            assert not is_alive(pid)
            assert await ask(server, "SELECT 1") == 1


async def test_a_server_left_behind_is_stopped_at_the_next_start(home: Path) -> None:
    data = (home / "postgres").resolve() / "data"
    account = postgres_files.server_account()
    programs = postgres_files.programs("16", account, data.parent)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    left = start_as_the_server([programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", ""])
    while not (data / "postmaster.pid").exists():
        assert left.poll() is None
    with LocalPostgres(home, durable=False) as server:
        assert left.wait(0) == 0
        assert await ask(server, "SELECT 1") == 1


async def test_a_stale_pid_file_that_names_a_living_process_is_no_obstacle(home: Path) -> None:
    with LocalPostgres(home, durable=False):
        pid_file = (home / "postgres" / "data" / "postmaster.pid").read_text().split("\n")
    account = postgres_files.server_account()
    with start_as_the_server(["sleep", "60"]) as other:
        stale = home / "postgres" / "data" / "postmaster.pid"
        stale.write_text("\n".join([str(other.pid), *pid_file[1:]]))
        os.chown(stale, account.uid, account.gid)
        with LocalPostgres(home, durable=False) as server:
            assert await ask(server, "SELECT 1") == 1
        assert other.poll() is None
        other.kill()


async def test_a_damaged_pid_file_is_no_obstacle(home: Path) -> None:
    pid_file = home / "postgres" / "data" / "postmaster.pid"
    for content in ("", "\n", "not a number\n", "-17\n", "99999999\n"):
        pid_file.write_text(content)
        os.chown(pid_file, postgres_files.server_account().uid, -1)
        with LocalPostgres(home, durable=False) as server:
            assert await ask(server, "SELECT 1") == 1, content


async def test_sessions_of_a_killed_server_are_waited_for(home: Path) -> None:
    with LocalPostgres(home, durable=False) as server:
        connection = await asyncpg.connect(
            host=server.host, port=server.port, user="postgres", password=server.superuser_password, database="postgres"
        )
        session = await connection.fetchval("SELECT pg_backend_pid()")
        await connection.execute("SET statement_timeout = '1500ms'")
        endless = asyncio.ensure_future(connection.fetch("SELECT count(*) FROM generate_series(1, 1e10)"))
        while not is_alive(session, cpu_seconds=0.1):
            await asyncio.sleep(0.01)
        psutil.Process(server_pid(home)).kill()
    assert is_alive(session)
    with LocalPostgres(home, durable=False) as server:
        assert not is_alive(session)
        assert await ask(server, "SELECT 1") == 1
    with pytest.raises(asyncpg.PostgresError):
        await endless


async def test_an_interrupted_initialisation_is_started_again(folder: Path) -> None:
    home = folder / "home"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not any((home / "postgres").glob("data.new-*/base")):
        assert process.poll() is None
    process.kill()
    process.wait(20)
    assert not (home / "postgres" / "data").exists()
    with LocalPostgres(home, durable=False) as server:
        assert await ask(server, "SELECT 1") == 1
    assert not list((home / "postgres").glob("data.new-*"))


def test_a_second_start_on_the_same_folder_names_the_first(home: Path) -> None:
    with held_by_another_process(home) as holder:
        sentence = (
            f"^Another Zava uses this data folder \\(pid {holder.process.pid}\\): stop it, or name another folder"
        )
        with pytest.raises(LocalPostgresError, match=sentence):
            LocalPostgres(home).__enter__()
        with pytest.raises(data_folder.DataFolderError, match=sentence):
            clean.remove(home)
        assert holder.process.poll() is None


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
