"""An embedded PostgreSQL with pgvector for one data folder: no root, no Docker, nothing left running."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import psutil

from zava.local import data_folder, exec_server, postgres_files

_START_SECONDS = 120  # replaying the log of a crashed bulk load takes its time
_STOP_SECONDS = 20
# Not synchronous_commit=off: VACUUM takes no page for all visible whose commit may still be on its way.
_VOLATILE = ("fsync=off", "full_page_writes=off")
_SETTINGS = ("log_min_messages=warning", "timezone=UTC", "log_timezone=UTC", "logging_collector=off")


class LocalPostgresError(Exception):
    """The embedded PostgreSQL cannot start; the message is one sentence that says what to do."""


class LocalPostgres:
    """A PostgreSQL server that lives as long as the `with` block around it.

    It listens on 127.0.0.1 only, at a free port of its own choice, and asks every user for a password
    (scram-sha-256). `port` and `superuser_password` (user `postgres`) hold inside the block. On Linux the server also
    ends when the *thread* that entered the block does, so enter it from one that stays (the main thread); elsewhere
    a server left behind by a killed process is stopped at the next start.

    Args:
        home: The data folder; made if missing. Only one process can use it at a time.
        version: PostgreSQL's major version. A folder made by one cannot be opened by the other.
        durable: False leaves out syncing to disk: for tests, where a crash of the machine loses nothing of worth.
    """

    host = "127.0.0.1"

    def __init__(self, home: Path, *, version: Literal["16", "18"] = "16", durable: bool = True) -> None:
        self.port = 0
        self.superuser_password = ""
        self._home = home.resolve()
        self._version = version
        self._durable = durable
        self._account = postgres_files.server_account()
        self._log = self._home / "postgres.log"
        self._lock: int | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._lock = data_folder.lock(self._home)
            self._start()
        except data_folder.DataFolderError as problem:
            self.stop()
            raise LocalPostgresError(str(problem)) from problem
        except OSError as problem:
            self.stop()
            raise LocalPostgresError(data_folder.explain(self._home, problem)) from problem
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Roll back what runs, write a checkpoint, end the server, and free the data folder. May be called twice."""
        if self._server is not None:
            _end(psutil.Process(self._server.pid) if self._server.poll() is None else None)
            self._server.wait()
            self._server = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _start(self) -> None:
        folder = postgres_files.server_folder(self._home, self._account)
        programs = postgres_files.programs(self._version, self._account, folder)
        data, password = folder / "data", folder / "superuser-password"
        if not data.exists():
            self._initialise(programs / "initdb", data, password)
        self._check(data, password)
        self.superuser_password = password.read_text().strip()
        _end(_server_left_on(data))
        _disown(data / "postmaster.pid")
        for pause in (0, 0, 0.5, 1, 2, 4):
            time.sleep(pause)
            complaint = self._launch(programs / "postgres", data)
            if complaint is None:
                return
            # Another process was faster with the port; or a killed server's last sessions are just about to notice.
            if "Address already in use" not in complaint and "shared memory block" not in complaint:
                break
        raise self._error(complaint)

    def _initialise(self, initdb: Path, data: Path, password: Path) -> None:
        """Made under another name and renamed, so that an interrupted attempt is never mistaken for a database."""
        _remove_abandoned(data.parent)
        # A name of its own: the initdb of a killed attempt may be busy for another moment removing its files.
        half = Path(tempfile.mkdtemp(prefix="data.new-", dir=data.parent))
        password.unlink(missing_ok=True)
        with open(os.open(password, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:  # noqa: PTH123
            file.write(secrets.token_urlsafe(24) + "\n")
        self._account.own(password)
        self._account.own(half)
        process = self._run(
            *(initdb, "-D", half, "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8"),
            # To sync a thousand small files takes seconds; what a power cut spoils half a minute later is made anew.
            *("--locale=C.UTF-8", "--no-instructions", "--no-sync"),
        )
        try:
            if process.wait():
                raise self._error(self._log.read_text(errors="replace"))
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait()
            shutil.rmtree(half, ignore_errors=True)
            raise
        half.rename(data)
        _remove_abandoned(data.parent)  # what a killed attempt's initdb was still at above

    def _check(self, data: Path, password: Path) -> None:
        owner = data.stat().st_uid
        if owner != self._account.uid:
            raise LocalPostgresError(
                f"The database in {self._home} was made by another user (uid {owner}): "
                "start Zava as that user, or start afresh with make clean-data."
            )
        made_by = (data / "PG_VERSION").read_text().strip()
        if made_by != self._version:
            raise LocalPostgresError(
                f"The database in {self._home} was made by PostgreSQL {made_by} and this is {self._version}: "
                "name another folder with DATA=, or start afresh with make clean-data."
            )
        if not password.exists():
            raise LocalPostgresError(
                f"The database in {self._home} has lost its password file: start afresh with make clean-data."
            )

    def _launch(self, postgres: Path, data: Path) -> str | None:
        """Start the server and wait until it takes connections. Returns what it said if it ended instead."""
        with socket.socket() as probe:
            probe.bind((self.host, 0))
            self.port = probe.getsockname()[1]
        settings = _SETTINGS + (() if self._durable else _VOLATILE)
        self._server = self._run(
            *(postgres, "-D", data, "-h", self.host, "-p", str(self.port), "-k", ""),
            *(part for setting in settings for part in ("-c", setting)),
        )
        deadline = time.monotonic() + _START_SECONDS
        while not _is_ready(data, self._server.pid):
            if self._server.poll() is not None:
                self._server = None
                return self._log.read_text(errors="replace")
            if time.monotonic() > deadline:
                raise LocalPostgresError(
                    f"PostgreSQL is not ready after {_START_SECONDS} seconds: see {self._log} for what holds it up."
                )
            time.sleep(0.01)
        return None

    def _run(self, *command: str | Path) -> subprocess.Popen[bytes]:
        """Start one of PostgreSQL's programs as the right user, tied to this process, its output in the log."""
        with open(os.open(self._log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as log:  # noqa: PTH123
            account = (str(self._account.uid), str(self._account.gid))
            return subprocess.Popen(
                [sys.executable, "-I", "-S", exec_server.__file__, str(os.getpid()), *account, *map(str, command)],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.environ.get("PATH", os.defpath)},
                start_new_session=True,  # Ctrl-C in the terminal is the starting process's to handle
            )

    def _error(self, output: str) -> LocalPostgresError:
        if any(text in output for text in ("No space left on device", "Check free disk space", "Disk quota exceeded")):
            return LocalPostgresError(f"The disk that holds {self._home} is full: free about 1 GB and start again.")
        lines = [line for line in output.splitlines() if line.strip()] or ["it ended without a word"]
        said = next((line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line), lines[-1])
        return LocalPostgresError(
            f"PostgreSQL does not start ({said.strip()}): see {self._log}, or start afresh with make clean-data."
        )


def _is_ready(data: Path, pid: int) -> bool:
    """PostgreSQL writes its process id in the first line of this file and its state in the eighth."""
    try:
        lines = (data / "postmaster.pid").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _server_left_on(data: Path) -> psutil.Process | None:
    """The server a killed Zava left on this folder; None if the process id in its file is dead or somebody else's."""
    try:
        server = psutil.Process(int((data / "postmaster.pid").read_bytes().split()[0]))
        return server if str(data) in server.cmdline() else None
    except (FileNotFoundError, ValueError, IndexError, psutil.Error):
        return None


def _disown(pid_file: Path) -> None:
    """Put this process's id in the file of a server that is gone, so that no living process is taken for it.

    PostgreSQL never takes its own parent for another server. The rest of the file stays: it names the shared memory by
    which the new server finds out whether sessions of the old one still run, and two servers would destroy the data.
    """
    if pid_file.exists():
        _, *rest = pid_file.read_bytes().split(b"\n")
        pid_file.write_bytes(b"\n".join([str(os.getpid()).encode(), *rest]))


def _remove_abandoned(folder: Path) -> None:
    for abandoned in folder.glob("data.new-*"):
        shutil.rmtree(abandoned, ignore_errors=True)


def _end(server: psutil.Process | None) -> None:
    """Stop a server: politely, then at once, then by force."""
    for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if server is None or not server.is_running():
            return
        try:
            server.send_signal(request)
            server.wait(_STOP_SECONDS)
        except psutil.NoSuchProcess:
            return
        except psutil.TimeoutExpired:
            continue
