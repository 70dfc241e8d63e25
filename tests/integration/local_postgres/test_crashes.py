"""The embedded PostgreSQL ends with its owner, and comes up again after whatever ended it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest

from tests.integration.local_postgres.servers import (
    HOLD,
    ask,
    held_by_another_process,
    is_alive,
    server_pid,
    start_as_the_server,
    wait_until_gone,
)
from zava.local import clean, data_folder, postgres_files
from zava.local.postgres import LocalPostgres, LocalPostgresError


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
