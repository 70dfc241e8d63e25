"""The real app on the development host, in a process of its own, answering over HTTP on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import Database

PROJECT = Path(__file__).resolve().parents[2]

_SERVE = """
import asyncio, pathlib, sys
from zava.local import dev_host
app = dev_host.build(pathlib.Path(sys.argv[1]), timers=False)
asyncio.run(dev_host.serve(app, port=0, ready=lambda port: print(port, flush=True)))
"""


class Server:
    """One running host; `url` is the MCP endpoint."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(PROJECT)],
            cwd=PROJECT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        port = self.process.stdout.readline().strip()
        assert port.isdigit(), "the host did not start; its messages are above"
        self.base_url = f"http://127.0.0.1:{port}"
        self.url = f"{self.base_url}/mcp"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="session")
def server(database: Database) -> Iterator[Server]:
    server = Server(database.environment)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def server_url(server: Server) -> str:
    return server.url


@pytest.fixture(scope="session")
def token_for(database: Database) -> Callable[..., str]:
    """`token_for("store_manager", stores=["seattle"])`."""

    def mint(role: str, *, stores: Sequence[str] = (), regions: Sequence[str] = (), subject: str = "") -> str:
        return database.cluster.issuer.mint(role, stores=stores, regions=regions, subject=subject)

    return mint
