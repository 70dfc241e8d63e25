"""A physical copy of a running server, on another loopback address: a replica, or a restored backup."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from tests.conftest import Database
from zava.data.administration import AdministratorConnection
from zava.local import exec_server
from zava.local.postgres import LocalPostgres
from zava.local.postgres_files import programs, server_account

HOST = "127.0.0.2"


class Replica:
    """
    Args:
        follows: it takes every change over from the server it was copied from; else it is a server of its own.
    """

    def __init__(self, primary: LocalPostgres, folder: Path, *, follows: bool = True) -> None:
        self._primary = primary
        self._follows = follows
        self._folder = folder
        self._account = server_account()
        self._account.own(folder)
        self._programs = programs("16", self._account, folder)
        self._log = folder / "replica.log"
        self._server: subprocess.Popen[bytes] | None = None

    def copy(self) -> None:
        """Take the primary's data over, while it serves."""
        primary = self._primary
        source = f"host={primary.host} port={primary.port} user=postgres password={primary.superuser_password}"
        following = ("-R",) if self._follows else ()
        program = self._run(
            *("pg_basebackup", "-D", self._data, "-d", source, "-X", "stream", "-c", "fast", "-N", *following)
        )
        assert program.wait() == 0, self._log.read_text()

    def start(self) -> None:
        self._server = self._run(
            *("postgres", "-D", self._data, "-h", HOST, "-p", str(self._primary.port), "-k", ""),
            *("-c", "fsync=off", "-c", "log_min_messages=warning"),
        )
        ends_at = time.monotonic() + 30
        while not self._is_ready():
            assert self._server.poll() is None, self._log.read_text()
            assert time.monotonic() < ends_at, self._log.read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)  # sessions are ended, not waited for
            self._server.wait(20)
            self._server = None

    async def superuser(self, database: str) -> asyncpg.Connection:
        password = self._primary.superuser_password
        return await AdministratorConnection(HOST, self._primary.port, database, "postgres", password).open()

    async def caught_up(self, database: Database) -> None:
        """Wait until the replica shows what the primary has committed so far."""
        primary, replica = await database.superuser(), await self.superuser("postgres")
        try:
            position = await primary.fetchval("SELECT pg_current_wal_lsn()")
            ends_at = time.monotonic() + 10
            while not await replica.fetchval("SELECT pg_last_wal_replay_lsn() >= $1", position):
                assert time.monotonic() < ends_at, "the replica does not follow"
                await replica.execute("SELECT pg_sleep(0.01)")
        finally:
            await primary.close()
            await replica.close()

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _is_ready(self) -> bool:
        try:
            lines = (self._folder / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", exec_server.__file__, str(os.getpid())]
        command += [str(self._account.uid), str(self._account.gid), str(self._programs / program), *arguments]
        with self._log.open("wb") as log:
            return subprocess.Popen(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )


@contextmanager
def running(primary: LocalPostgres, *, follows: bool = True) -> Generator[Replica]:
    folder = Path(tempfile.mkdtemp(prefix="zava-replica-"))
    replica = Replica(primary, folder, follows=follows)
    try:
        replica.copy()
        replica.start()
        yield replica
    finally:
        replica.stop()
        shutil.rmtree(folder, ignore_errors=True)
