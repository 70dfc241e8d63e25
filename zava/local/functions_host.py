"""What the Functions host does around an app: routes, calls, timers, and the few admin addresses."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import logging
import os
import uuid
from collections.abc import AsyncGenerator, Coroutine, Iterable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, request_response

from zava.local.function_routes import Router, route_of
from zava.local.functions_engine import DevHostError, Engine, HttpAnswer, HttpCall, Trigger, fresh_import
from zava.local.schedule import Schedule, WallClock, follow

_NEVER = "0001-01-01T00:00:00+00:00"
_log = logging.getLogger(__name__)


class FunctionsHost:
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
                Route("/admin/host/status", self._status, methods=["GET"]),
                Route("/admin/functions/{name}", self._run_timer, methods=["POST"]),
                # Not one route a function: Starlette would answer HEAD and 405 by rules that are not the host's.
                Mount("/", app=request_response(self._answer)),
            ],
            lifespan=self._lifespan,
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncGenerator[None]:
        with fresh_import(self._app_dir):
            try:
                schedules = self._index(await self._engine.load(self._app_dir))
                if self._timers:
                    for name, schedule in schedules.items():
                        self._start(self._follow(self._timer[name], schedule))
                yield
            finally:
                for task in self._running:
                    task.cancel()
                await asyncio.gather(*self._running, return_exceptions=True)
                self._engine.close()

    def _index(self, triggers: list[Trigger]) -> dict[str, Schedule]:
        prefix = self._route_prefix()
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

    def _route_prefix(self) -> str:
        try:
            host: Any = json.loads((self._app_dir / "host.json").read_text("utf-8"))
        except (OSError, ValueError) as problem:
            raise DevHostError(f"host.json cannot be read: {problem}.") from problem
        return host.get("extensions", {}).get("http", {}).get("routePrefix", "api")

    async def _answer(self, request: Request) -> Response:
        found = self._router.find(request.method, request.scope["path"])
        if found is None:
            return Response(status_code=404)
        function, parameters = found
        invocation = str(uuid.uuid4())
        try:
            answer = await self._engine.http(self._http[function], await _call(request, parameters), invocation)
            return _response(answer)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is left to read it
        except Exception:  # noqa: BLE001  (whatever a function raises, the host goes on)
            _log.exception("%s failed (invocation %s)", function, invocation)
            return Response(status_code=500)  # the host, too, says nothing about it

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

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
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
        except Exception:  # noqa: BLE001  (whatever a function raises, the host goes on)
            _log.exception("%s failed (invocation %s)", trigger.function, invocation)
        else:
            _log.info("%s ran (invocation %s)", trigger.function, invocation)


async def _call(request: Request, parameters: dict[str, str]) -> HttpCall:
    """The request as it crosses to the worker, where a repeated header or query key is one, joined by commas."""

    def joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
        values: dict[str, str] = {}
        for name, value in pairs:
            values[name] = f"{values[name]},{value}" if name in values else value
        return values

    scope, headers = request.scope, joined(request.headers.items())
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    query_values = joined(request.query_params.multi_items())
    return HttpCall(
        method=request.method,
        url=f"{scope['scheme']}://{headers.get('host', '127.0.0.1')}{path}{'?' if query else ''}{query}",
        headers=headers,
        query={name: value for name, value in query_values.items() if value},  # an empty value does not cross
        parameters=parameters,
        body=await request.body(),
    )


def _response(answer: HttpAnswer) -> Response:
    response = Response(answer.body, answer.status)
    headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
    response.raw_headers = headers + response.raw_headers  # what is there already is the length, if there is one
    return response
