"""Root starts the embedded PostgreSQL as `nobody`, wherever the data folder is; ordinary users need no root."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.integration.local_postgres.servers import (
    ROOT,
    ask,
    held_by_another_process,
    server_pid,
    wait_until_gone,
)
from zava.local import data_folder, postgres_files
from zava.local.postgres import LocalPostgres, LocalPostgresError

pytestmark = pytest.mark.skipif(not ROOT, reason="only root runs the server as somebody else")


async def test_programs_that_nobody_cannot_read_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot_reach_programs(account: postgres_files.Account, path: Path) -> bool:
        return "pginstall" not in str(path)

    monkeypatch.setattr(postgres_files.Account, "can_reach", cannot_reach_programs)
    for _ in range(2):
        with LocalPostgres(folder / "home", durable=False) as server:
            assert await ask(server, "SELECT 1") == 1
            assert Path(psutil.Process(server_pid(folder / "home")).exe()).is_relative_to(folder / "home")


def test_what_an_earlier_folder_of_the_same_name_left_is_not_used(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with LocalPostgres(closed / "home", durable=False) as server:
        password = server.superuser_password
    shutil.rmtree(closed / "home")
    with LocalPostgres(closed / "home", durable=False) as server:
        assert server.superuser_password != password


def test_a_moved_folder_is_refused(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with LocalPostgres(closed / "home", durable=False):
        pass
    (closed / "home").rename(closed / "moved")
    with pytest.raises(LocalPostgresError, match=r"was moved or copied, and its database stayed behind in /var/tmp/"):
        LocalPostgres(closed / "moved").__enter__()
    (closed / "moved").rename(closed / "home")


def test_a_prepared_trap_in_the_shared_temporary_folder_is_refused(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    trap = data_folder.elsewhere(closed / "home")
    trap.symlink_to(folder)
    try:
        with pytest.raises(LocalPostgresError, match="belongs to somebody else"):
            LocalPostgres(closed / "home").__enter__()
    finally:
        trap.unlink()


async def test_an_ordinary_user_needs_nothing_of_root(folder: Path) -> None:
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


async def test_a_folder_that_an_ordinary_user_cannot_write_gets_one_sentence(folder: Path) -> None:
    nobody = postgres_files.server_account().uid
    with (
        pytest.raises(AssertionError, match=r"cannot be written by this user: name another folder with DATA="),
        held_by_another_process(folder / "home", uid=nobody),
    ):
        pass


async def test_a_full_disk_gets_one_sentence(folder: Path) -> None:
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
