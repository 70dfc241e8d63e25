"""A real PgBouncer in transaction mode before the tests' server, as one stands before PostgreSQL on Azure."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Cluster, Database
from tests.services import wait_until_said
from zava.local import exec_server
from zava.local.postgres_files import server_account

POOL_SIZE = 4

_CONFIGURATION = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/userlist.txt
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 200
log_connections = 0
log_disconnections = 0
log_pooler_errors = 0
log_stats = 0
server_login_retry = 1
"""  # silent once it is up, because nobody reads on


class PgBouncer:
    """The running pooler, which can be stopped, started again on the same port, and led to another server."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._folder = folder
        self._server = cluster.server
        self._process: subprocess.Popen[str] | None = None
        self._passwords = {"zava_reader": cluster.secrets.reader_password, "zava_app": cluster.secrets.app_password}
        self._write_passwords()

    def before(self, database: Database) -> Database:
        """The database as clients behind the pooler reach it."""
        return dataclasses.replace(database, environment=database.environment | {"POSTGRES_PORT": str(self.port)})

    def start(self) -> None:
        """Run it as whoever the database server runs as: like that one, it refuses to be root."""
        program, account = _program(), server_account()
        assert program is not None
        configuration = self._write_configuration(self._server.port)
        for path in (self._folder, *self._folder.iterdir()):
            account.own(path)
        process = self._process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", exec_server.__file__, str(os.getpid()), str(account.uid)),
                *(str(account.gid), program, str(configuration)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        wait_until_said(process.stderr, "process up", "PgBouncer")

    def lead_to(self, server_port: int) -> None:
        """Connect to another server from now on, as after a failover."""
        self._write_configuration(server_port)
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def take_password(self, login: str, password: str) -> None:
        """Know a new password of a login, as an operator tells a pooler of it."""
        self._passwords[login] = password
        self._write_passwords()
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """At once: newer versions would wait for their clients when asked politely."""
        process, self._process = self._process, None
        if process is not None and process.stderr is not None:
            process.kill()
            process.wait()
            process.stderr.close()

    def _write_passwords(self) -> None:
        lines = [f'"{login}" "{password}"\n' for login, password in self._passwords.items()]
        (self._folder / "userlist.txt").write_text("".join(lines))

    def _write_configuration(self, server_port: int) -> Path:
        file = self._folder / "pgbouncer.ini"
        file.write_text(
            _CONFIGURATION.format(
                host=self._server.host,
                port=server_port,
                listen_port=self.port,
                folder=self._folder,
                pool_size=POOL_SIZE,
            )
        )
        return file


def is_installed() -> bool:
    return _program() is not None


def _program() -> str | None:
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")


@contextmanager
def running(cluster: Cluster) -> Generator[PgBouncer]:
    """Run it while the block runs."""
    with tempfile.TemporaryDirectory(prefix="zava-pgbouncer-") as name:
        pooler = PgBouncer(cluster, Path(name))
        try:
            pooler.start()
            yield pooler
        finally:
            pooler.stop()
