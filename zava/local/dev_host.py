"""A development host for the function app: its own registered functions over HTTP, and its timers, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import Any, Literal

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Endpoint

from zava.local.functions_engine import Engine, FunctionAppError, HttpCall, Trigger, fresh_import
from zava.local.function_routes import RouteError, Router, route_of
from zava.local.schedule import Schedule, ScheduleError, WallClock, follow

NOTICE = (
    "This is a development host, not Azure Functions: no keys or auth levels, no Easy Auth, no extension bundles, "
    "no singleton lease and no catching up of missed timers, no 230 s limit, and one process only."
)
_NEVER = "0001-01-01T00:00:00+00:00"
_log = logging.getLogger(__name__)


class DevHostError(Exception):
    """The host cannot start; the message is one sentence that says what is wrong."""


def build(app_dir: Path, *, engine: Literal["direct", "runtime"] = "direct", timers: bool = True) -> Starlette:
    """The host of the app in `app_dir` (with `function_app.py` and `host.json`) as an ASGI application.

    The app is imported when the application's lifespan starts, in the running loop, as the language worker does it.
    Settings are the environment's. Without `timers` schedules are read, but only `POST /admin/functions/NAME` runs one.

    Raises, when the lifespan starts:
        DevHostError: the app, a route, or a schedule is not what the Functions host accepts.
    """
    return _DevHost(app_dir.resolve(), _engine(engine), timers).application()


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
        raise DevHostError(f"Port {port} cannot be used ({problem.strerror}): take another one with PORT=.") from problem
    with listener:
        async with app.router.lifespan_context(app):
            server = _Server(app)
            with server.stopped_by_signals():
                await server.run_on(listener, ready)


class _Server(uvicorn.Server):
    """uvicorn, except that signals only end `serve`: uvicorn would raise them again and skip what comes after it."""

    def __init__(self, app: Starlette) -> None:
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
        self._ready: Callable[[int], None] | None = None

    async def run_on(self, listener: socket.socket, ready: Callable[[int], None] | None) -> None:
        self._ready = ready
        await self.serve(sockets=[listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._ready is not None and sockets:
            self._ready(sockets[0].getsockname()[1])

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    @contextlib.contextmanager
    def stopped_by_signals(self) -> Generator[None]:
        """From here on, so that a handler the app installed at its import does not end the process first."""
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


class _DevHost:
    def __init__(self, app_dir: Path, engine: Engine, timers: bool) -> None:
        self._app_dir = app_dir
        self._engine = engine
        self._timers = timers
        self._router = Router(())
        self._http: dict[str, Trigger] = {}
        self._timer: dict[str, Trigger] = {}
        self._running: set[asyncio.Task[None]] = set()

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Endpoint("/admin/host/status", self._status, methods=["GET"]),
                Endpoint("/admin/functions/{name}", self._run_timer, methods=["POST"]),
                # Not one endpoint a function: Starlette would answer HEAD and 405 by rules that are not the host's.
                Endpoint("/{path:path}", _AnyMethod(self._answer)),
            ],
            lifespan=self._lifespan,
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncGenerator[None]:
        with fresh_import(self._app_dir):
            try:
                schedules = self._index(await self._engine.load(self._app_dir))
            except (FunctionAppError, RouteError, ScheduleError) as problem:
                raise DevHostError(str(problem)) from problem
            if self._timers:
                for name, schedule in schedules.items():
                    self._start(self._follow(self._timer[name], schedule))
            try:
                yield
            finally:
                for task in self._running:
                    task.cancel()
                await asyncio.gather(*self._running, return_exceptions=True)
                self._engine.close()

    def _index(self, triggers: list[Trigger]) -> dict[str, Schedule]:
        host = json.loads((self._app_dir / "host.json").read_text("utf-8"))
        prefix = host.get("extensions", {}).get("http", {}).get("routePrefix", "api")
        routes, schedules = [], dict[str, Schedule]()
        for trigger in triggers:
            if trigger.kind == "timerTrigger":
                self._timer[trigger.function.lower()] = trigger
                schedules[trigger.function.lower()] = Schedule.parse(trigger.options["schedule"], os.environ)
                _log.info("%s: timer %s (UTC)", trigger.function, schedules[trigger.function.lower()].text)
            else:
                template = f"{prefix}/{trigger.options.get('route') or trigger.function}"
                methods = [str(method) for method in trigger.options.get("methods") or ()]
                self._http[trigger.function] = trigger
                routes.append(route_of(trigger.function, template, methods))
                _log.info("%s: [%s] /%s", trigger.function, ",".join(methods) or "all", template.strip("/"))
        self._router = Router.of(routes)
        return schedules

    async def _answer(self, request: Request) -> Response:
        found = self._router.find(request.method, request.scope["path"])
        if found is None:
            return Response(status_code=404)
        function, parameters = found
        call = HttpCall(
            method=request.method,
            url=_url(request),
            headers=_joined(request.headers.items()),
            # An empty value does not cross from the host to the worker.
            query={name: value for name, value in _joined(request.query_params.multi_items()).items() if value},
            parameters=parameters,
            body=await request.body(),
        )
        invocation = str(uuid.uuid4())
        try:
            answer = await self._engine.http(self._http[function], call, invocation)
        except Exception:
            _log.exception("%s failed (invocation %s)", function, invocation)
            return Response(status_code=500)  # the host, too, says nothing about it
        response = Response(answer.body, answer.status)
        length = [(name, value) for name, value in response.raw_headers if name == b"content-length"]
        response.raw_headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers] + length
        return response

    async def _status(self, _: Request) -> Response:
        return JSONResponse({"id": "development-host", "state": "Running"})

    async def _run_timer(self, request: Request) -> Response:
        try:
            body: Any = json.loads(await request.body())
        except ValueError:
            return Response(status_code=400)
        trigger = self._timer.get(request.path_params["name"].lower())
        if not isinstance(body, dict):
            return Response(status_code=400)
        if trigger is None:
            return Response(status_code=404)
        self._start(self._fire(trigger, None, None))
        return Response(status_code=202)

    def _start(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._running.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._running.discard)

    async def _follow(self, trigger: Trigger, schedule: Schedule) -> None:
        async def fire(last: dt.datetime | None, due: dt.datetime) -> None:
            await self._fire(trigger, last, due)

        if trigger.options.get("runOnStartup"):
            await self._fire(trigger, None, None)
        await follow(schedule, fire, WallClock())

    async def _fire(self, trigger: Trigger, last: dt.datetime | None, due: dt.datetime | None) -> None:
        before = last.isoformat() if last else _NEVER
        status = {"Last": before, "Next": due.isoformat() if due else _NEVER, "LastUpdated": before}
        info = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}
        invocation = str(uuid.uuid4())
        try:
            await self._engine.timer(trigger, info, invocation)
        except Exception:
            _log.exception("%s failed (invocation %s)", trigger.function, invocation)
        else:
            _log.info("%s ran (invocation %s)", trigger.function, invocation)
