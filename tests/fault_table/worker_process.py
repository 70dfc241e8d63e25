"""A worker in a process of its own, as on Azure, that does what it is told on its standard input.

    python -m tests.fault_table.worker_process PROJECT ROUTES

ROUTES is a JSON object of host names and the ports of their stand-ins. It prints the port of the endpoint, and then an
answer in JSON for each command it reads: a line each. It ends with its input.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tests import network_guard

_true_time = time.time


class _Worker:
    def __init__(self, project: Path) -> None:
        self._project = project
        self._port = 0
        self._ahead = 0.0
        self._goes_on = True

    def time(self) -> float:
        return _true_time() + self._ahead

    def run(self) -> None:
        """Serve until the process is told to end, on as many event loops, one after another, as it is told to."""
        while self._goes_on:
            self._goes_on = False
            asyncio.run(self._serve())

    async def _serve(self) -> None:
        from zava.local import dev_host

        commands = asyncio.StreamReader()
        with os.fdopen(os.dup(sys.stdin.fileno())) as pipe:
            reading, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(commands), pipe
            )
            following = asyncio.ensure_future(self._follow(commands))
            await dev_host.serve(dev_host.build(self._project, timers=False), port=self._port, ready=self._ready)
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
            reading.close()

    def _ready(self, port: int) -> None:
        self._port = port
        self._say(port)

    @staticmethod
    def _say(answer: Any) -> None:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()

    async def _follow(self, commands: asyncio.StreamReader) -> None:
        while line := await commands.readline():
            command, argument = json.loads(line)
            answer = self._obey(command, argument)
            if not self._goes_on:
                self._say(answer)
        os.kill(os.getpid(), signal.SIGTERM)

    def _obey(self, command: str, argument: Any) -> Any:
        match command:
            case "set the clock ahead":
                self._ahead = float(argument)
            case "change the event loop":  # answered by the port, once the new one serves
                self._goes_on = True
                os.kill(os.getpid(), signal.SIGTERM)
            case "name tasks":
                own = asyncio.current_task()
                return sorted(repr(task.get_coro()) for task in asyncio.all_tasks() if task is not own)
            case "give free memory back":  # what is resident afterwards is held, and no fragment of what was
                gc.collect()
                if sys.platform == "linux":
                    ctypes.CDLL(None).malloc_trim(0)
            case _:
                raise ValueError(command)
        return None


def main(project: str, routes: str) -> None:
    network_guard.install()
    for host, port in json.loads(routes).items():
        network_guard.route(host, port)
    worker = _Worker(Path(project))
    time.time = worker.time  # before Zava is imported: its clocks are arguments, whose defaults are bound then
    worker.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
