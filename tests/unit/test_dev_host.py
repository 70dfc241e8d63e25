"""The development host answers as the Functions host does, and refuses to start what that would not start."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import types
from pathlib import Path

import httpx2
import pytest

from tests.e2e.hosts.answers import (
    APP,
    CASES,
    SETTINGS,
    Case,
    assert_answers,
    assert_headers_have_one_value_and_cookies_many,
    assert_timers_run_on_demand,
    client_of,
    client_of_app,
)
from zava.local import dev_host
from zava.local.functions_engine import DevHostError

NO_PREFIX = '{"extensions": {"http": {"routePrefix": ""}}}'
APP_HEAD = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_demo_app_is_answered_as_the_functions_host_answers(case: Case) -> None:
    async with client_of("direct") as client:
        await assert_answers(case, client)


async def test_headers_have_one_value_and_cookies_many() -> None:
    async with client_of("direct") as client:
        await assert_headers_have_one_value_and_cookies_many(client)


async def test_timers_run_on_demand() -> None:
    async with client_of("direct") as client:
        await assert_timers_run_on_demand(client)


async def test_timers_run_by_their_schedule() -> None:
    async with client_of("direct", timers=True, TICK_SCHEDULE="* * * * * *"):
        runs = sys.modules["demo_timers"].runs
        async with asyncio.timeout(5):
            first, second = await runs.get(), await runs.get()
    assert first == ("tick", "past due: False", "0001-01-01T00:00:00+00:00")
    assert second[:2] == ("tick", "past due: False")
    assert second[2].endswith("+00:00")


async def test_a_failing_function_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    async with client_of("direct") as client:
        response = await client.get("/api/boom")
    assert response.content == b""
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [error.split(" (invocation ")[0] for error in errors] == ["boom failed"]
    assert "the caller never sees this text" in caplog.text


async def test_each_start_imports_the_app_anew_and_leaves_no_module() -> None:
    path = list(sys.path)
    sys.modules["function_app"] = types.ModuleType("left by somebody else")
    for setting in ("one", "two"):
        async with client_of("direct", DEMO_SETTING=setting) as client:
            assert (await client.get("/api/echo")).json()["setting"] == setting
    assert {"function_app", "demo_timers"}.isdisjoint(sys.modules)
    assert sys.path == path


def app_folder(folder: Path, functions: str, host: str = NO_PREFIX) -> Path:
    (folder / "function_app.py").write_text(APP_HEAD + functions)
    (folder / "host.json").write_text(host)
    return folder


def timer(schedule: str) -> str:
    return f"""
@app.timer_trigger(schedule={schedule!r}, arg_name="timer")
def job(timer: func.TimerRequest) -> None: ...
"""


def route(template: str) -> str:
    return f"""
@app.route(route={template!r}, methods=["GET"])
def page(req: func.HttpRequest) -> func.HttpResponse: return func.HttpResponse("page")
"""


QUEUE = """
@app.queue_trigger(arg_name="message", queue_name="q", connection="c")
def read(message: func.QueueMessage) -> None: ...
"""
REFUSED = {
    "a setting that is not set": (timer("%NO_SUCH%"), "The schedule %NO_SUCH% names the setting NO_SUCH, which is not"),
    "a bad schedule": (timer("0 61 * * * *"), "The schedule '0 61 * * * *' has no valid minute: '61'."),
    "an optional part in the middle": (route("a/{b?}/c"), "The route '/a/{b?}/c' of page has '{b?}' before its end."),
    "a mixed segment": (route("a-{b}"), "The route '/a-{b}' of page has an unsupported part: 'a-{b}'."),
    "an unknown constraint": (route("{a:odd}"), "The route '/{a:odd}' of page has an unsupported constraint: 'odd'."),
    "another trigger": (
        QUEUE,
        "The development host runs HTTP and timer functions only, and read has queueTrigger.",
    ),
    "two apps": ("other = func.FunctionApp()", "function_app.py must hold exactly one function app, and it holds 2."),
    "no app": ("del app", "function_app.py must hold exactly one function app, and it holds 0."),
}


@pytest.mark.parametrize(("functions", "sentence"), REFUSED.values(), ids=REFUSED)
async def test_what_the_host_would_refuse_fails_the_start(tmp_path: Path, functions: str, sentence: str) -> None:
    app = dev_host.build(app_folder(tmp_path, functions))
    with pytest.raises(DevHostError) as refusal:
        async with app.router.lifespan_context(app):
            pass
    assert str(refusal.value).startswith(sentence)
    assert "function_app" not in sys.modules


async def test_a_missing_host_json_fails_the_start(tmp_path: Path) -> None:
    app_folder(tmp_path, route("page"))
    (tmp_path / "host.json").unlink()
    app = dev_host.build(tmp_path)
    with pytest.raises(DevHostError, match=r"^host\.json cannot be read: "):
        async with app.router.lifespan_context(app):
            pass


@pytest.mark.parametrize(
    ("template", "host", "path", "beside"),
    [
        ("/", NO_PREFIX, "/", "/x"),
        ("{none:maxlength(0)?}", NO_PREFIX, "/", "/x"),
        (".well-known/{*path}", NO_PREFIX, "/.well-known/a/b", "/xwell-known/a"),
        ("{code:minlength(3)}", '{"extensions": {"http": {"routePrefix": "v1"}}}', "/v1/abc", "/v1/ab"),
        ("page", "{}", "/api/page", "/page"),
    ],
)
async def test_route_prefix_and_template_make_the_address(
    tmp_path: Path, template: str, host: str, path: str, beside: str
) -> None:
    async with client_of_app(dev_host.build(app_folder(tmp_path, route(template), host))) as client:
        assert (await client.get(path)).text == "page"
        assert (await client.get(beside)).status_code == 404


async def test_a_taken_port_gets_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DevHostError, match=f"^Port {port} cannot be used .*: take another one with PORT=.$"):
            await dev_host.serve(dev_host.build(APP), port=port)


SERVE = """
import asyncio, sys
from pathlib import Path
from zava.local import dev_host
app = dev_host.build(Path(sys.argv[1]), timers=False)
asyncio.run(dev_host.serve(app, port=0, ready=lambda port: print(port, flush=True)))
print("ended in order", flush=True)
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=lambda end: end.name)
async def test_a_served_app_answers_over_a_socket_and_ends_in_order(end: signal.Signals) -> None:
    checkout = str(Path(dev_host.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(APP)],
        env={**os.environ, **SETTINGS, "PYTHONPATH": checkout},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout:
        base = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        async with httpx2.AsyncClient(base_url=base, timeout=10) as client:
            head = await client.head("/api/echo")
            assert (head.status_code, head.content, "server" in head.headers) == (200, b"", False)
            assert (await client.get("/api/sync")).text == "main thread: False"
            chunked = await client.post("/api/echo", content=chunks())
            assert json.loads(chunked.content)["body"] == "in two"
        process.send_signal(end)
        assert process.stdout.read() == "ended in order\n"
        assert process.wait(10) == 0


async def chunks():
    yield b"in "
    yield b"two"
