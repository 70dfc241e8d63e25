"""Servers in other processes, and what the tests ask of any server."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil
import pytest

from zava.local import postgres_files
from zava.local.postgres import LocalPostgres

ROOT = os.geteuid() == 0
CHECKOUT = Path(__file__).parents[3]
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
