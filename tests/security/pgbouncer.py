"""A real PgBouncer in transaction mode before the tests' server, as one stands before PostgreSQL on Azure."""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Cluster, Database
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
"""  # silent once it is up, because nobody reads on


@dataclass(frozen=True, slots=True)
class PgBouncer:
    """The running pooler. `before` gives a database as clients behind the pooler reach it."""

    port: int

    def before(self, database: Database) -> Database:
        return dataclasses.replace(database, environment=database.environment | {"POSTGRES_PORT": str(self.port)})


def is_installed() -> bool:
    return _program() is not None


def _program() -> str | None:
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")


@contextmanager
def running(cluster: Cluster) -> Generator[PgBouncer]:
    """Run it while the block runs, as whoever the database server runs as: like that one, it refuses to be root."""
    program = _program()
    assert program is not None
    account = server_account()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="zava-pgbouncer-") as name:
        folder = Path(name)
        server = cluster.server
        (folder / "pgbouncer.ini").write_text(
            _CONFIGURATION.format(
                host=server.host, port=server.port, listen_port=port, folder=folder, pool_size=POOL_SIZE
            )
        )
        (folder / "userlist.txt").write_text(
            f'"zava_reader" "{cluster.secrets.reader_password}"\n"zava_app" "{cluster.secrets.app_password}"\n'
        )
        for path in (folder, *folder.iterdir()):
            account.own(path)
        process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", exec_server.__file__, str(os.getpid()), str(account.uid)),
                *(str(account.gid), program, str(folder / "pgbouncer.ini")),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        try:
            said: list[str] = []
            for line in process.stderr:
                said.append(line)
                if "process up" in line:
                    break
            else:
                raise RuntimeError(f"PgBouncer did not start: {''.join(said)}")
            yield PgBouncer(port)
        finally:
            process.terminate()
            process.wait()
            process.stderr.close()
