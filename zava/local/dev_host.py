"""A development host for the function app: its own registered functions over HTTP, and its timers, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Literal

import uvicorn
from starlette.applications import Starlette

from zava.local.functions_engine import DevHostError, Engine
from zava.local.functions_host import FunctionsHost

NOTICE = (
    "This is a development host, not Azure Functions: no keys or auth levels, no Easy Auth, no extension bundles, "
    "no singleton lease and no catching up of missed timers, no 230 s limit or functionTimeout, and one process only."
)


def build(app_dir: Path, *, engine: Literal["direct", "runtime"] = "direct", timers: bool = True) -> Starlette:
    """The host of the app in `app_dir` (with `function_app.py` and `host.json`) as an ASGI application.

    The app is imported when the application's lifespan starts, in the running loop, as the language worker does it.
    Settings are the environment's. Without `timers` schedules are read, but only `POST /admin/functions/NAME` runs one.

    Raises, when the lifespan starts:
        DevHostError: the app, a route, or a schedule is not what the Functions host accepts.
    """
    return FunctionsHost(app_dir.resolve(), _engine(engine), timers).application()


async def serve(app: Starlette, *, port: int, ready: Callable[[int], None] | None = None) -> None:
    """Serve on 127.0.0.1 until SIGINT or SIGTERM, then let running requests end.

    Args:
        ready: Called with the port (another one than asked for if that was 0) once requests are answered.

    Raises:
        DevHostError: the port is taken, or see `build`.
    """
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as problem:
        raise DevHostError(
            f"Port {port} cannot be used ({problem.strerror}): take another one with PORT=."
        ) from problem
    with listener:
        async with app.router.lifespan_context(app):
            await _Server(app, ready).serve(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, app: Starlette, ready: Callable[[int], None] | None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=5,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._ready is not None and sockets:
            self._ready(sockets[0].getsockname()[1])

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Let signals end `serve` and no more: uvicorn would raise them again, and what comes after it would not run.

        The app has been imported by now, so a handler of its own, meant for Azure, does not end the process first.
        """
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
        for number in signals:
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self.force_exit = self.should_exit  # asked twice: at once
        self.should_exit = True


def _engine(name: Literal["direct", "runtime"]) -> Engine:
    if name == "runtime":
        from zava.local.runtime_engine import RuntimeEngine

        return RuntimeEngine()
    from zava.local.direct_engine import DirectEngine

    return DirectEngine()
