"""The app as a worker runs it: in a process of its own, with no signal handler but its own, and its log in a file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

import httpx2

PROJECT = Path(__file__).resolve().parents[2]

# As under the language worker: the loop is asyncio's own, and no signal handler is in it but the app's.
_SERVE = """
import asyncio, contextlib, pathlib, socket, sys
import uvicorn
from zava.local import dev_host

class Plain(uvicorn.Server):
    def capture_signals(self):
        return contextlib.nullcontext()

async def serve():
    app = dev_host.build(pathlib.Path(sys.argv[1]), timers=False, engine=sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0))
    async with app.router.lifespan_context(app):
        print(listener.getsockname()[1], flush=True)
        await Plain(uvicorn.Config(app, lifespan="off", log_config=None)).serve(sockets=[listener])

asyncio.run(serve())
"""


class WorkerProcess:
    """Runs while the `with` block does; `folder` is its temporary directory and holds its log."""

    def __init__(self, environment: dict[str, str], folder: Path, engine: str = "direct") -> None:
        self._log_file = folder / "worker.log"
        with self._log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, str(PROJECT), engine],
                cwd=PROJECT,
                env=os.environ | environment | {"TMPDIR": str(folder)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        port = self.process.stdout.readline().strip()
        assert port.isdigit(), self.log
        self.base_url = f"http://127.0.0.1:{port}"

    @property
    def log(self) -> str:
        return self._log_file.read_text("utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *arguments: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    async def call(
        self,
        http: httpx2.AsyncClient,
        token: str,
        name: str,
        /,
        *,
        headers: dict[str, str] | None = None,
        **arguments: object,
    ) -> httpx2.Response:
        """The answer to a tool call."""
        sent = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
        params = {"name": name, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return await http.post(f"{self.base_url}/mcp", headers=sent | (headers or {}), json=message)
