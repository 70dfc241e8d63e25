"""The tests' hold on a worker process: its address, its commands, and what it holds on to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

PROJECT = Path(__file__).parents[2]


class Worker:
    """Starts with its construction; `routes` lead host names to stand-ins, `environment` is all it is told.

    Attributes:
        url: of the MCP endpoint.
        log: what it wrote to its standard error.
    """

    def __init__(self, environment: Mapping[str, str], routes: Mapping[str, int], log: Path) -> None:
        self.log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fault_table.worker_process", str(PROJECT), json.dumps(dict(routes))],
                cwd=PROJECT,
                env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._seen = psutil.Process(self._process.pid)
        port = self._line()
        assert port.isdigit(), f"the worker did not start: {log.read_text()[-2000:]}"
        self.port = int(port)
        self.url = f"http://127.0.0.1:{port}/mcp"

    def tell(self, command: str, argument: Any = None) -> Any:
        """Its answer, which it gives on its event loop."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, argument]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    @property
    def tasks(self) -> tuple[str, ...]:
        """The coroutines of its event loop's tasks."""
        return tuple(self.tell("name tasks"))

    def memory_held(self) -> float:
        """Its resident size in MiB, once garbage was collected and free memory given back."""
        self.tell("give free memory back")
        return self._seen.memory_info().rss / 2**20

    def connections_to(self, port: int) -> int:
        """Its sockets to a port, the half-closed ones too."""
        return sum(bool(each.raddr) and each.raddr.port == port for each in self._seen.net_connections("tcp"))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
