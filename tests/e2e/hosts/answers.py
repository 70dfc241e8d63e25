"""What the Functions host answers for the demo app: one table, which every engine of the development host must keep.

The rules come from the host's source: routes in the order of function names and without regard to letter case, 404 for
a method that is not listed, repeated keys and headers joined by commas, one value a header, an empty 500.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx2
import pytest
from starlette.applications import Starlette

from zava.local import dev_host

APP = Path(__file__).parent / "demo_app"
SETTINGS = {"DEMO_SETTING": "from the environment", "TICK_SCHEDULE": "0 0 0 1 Jan *"}
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


def echo(**different: object) -> dict[str, object]:
    return {
        "method": "GET",
        "url": "http://localhost/api/echo",
        "route": {},
        "query": {},
        "many": None,
        "body": "",
        "setting": "from the environment",
        "same_loop": True,
        "context": ["echo", 36],
    } | different


@dataclass(frozen=True)
class Case:
    name: str
    request: tuple[str, str]
    status: int
    content: object = b""
    content_type: str | None = None
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    body: bytes | None = None


CASES = [
    Case("an absent optional parameter", ("GET", "/api/echo"), 200, echo(), JSON),
    Case(
        "a present optional parameter",
        ("GET", "/api/echo/b%C3%BCro%20x"),
        200,
        echo(url="http://localhost/api/echo/b%C3%BCro%20x", route={"name": "büro x"}),
        JSON,
    ),
    Case("any letter case and a final slash", ("GET", "/API/Echo/"), 200, echo(url="http://localhost/API/Echo/"), JSON),
    Case(
        "repeated query keys, none for an empty value",
        ("GET", "/api/echo?x=1&y=&x=2"),
        200,
        echo(url="http://localhost/api/echo?x=1&y=&x=2", query={"x": "1,2"}),
        JSON,
    ),
    Case("repeated headers", ("GET", "/api/echo"), 200, echo(many="1,2"), JSON, [("x-many", "1"), ("X-Many", "2")]),
    Case("a body", ("POST", "/api/echo"), 200, echo(method="POST", body="päyload"), JSON, body="päyload".encode()),
    Case("two segments for an optional parameter", ("GET", "/api/echo/a/b"), 404),
    Case("a method that is not listed", ("DELETE", "/api/echo"), 404),
    Case("OPTIONS that is not listed", ("OPTIONS", "/api/sync"), 404),
    Case("HEAD that is not listed", ("HEAD", "/api/sync"), 404),
    Case("no methods listed means all", ("OPTIONS", "/api/any"), 200, b"OPTIONS", TEXT),
    Case("a method nobody knows", ("BREW", "/api/any"), 200, b"BREW", TEXT),
    Case("without the route prefix", ("GET", "/echo"), 404),
    Case("an unknown path", ("GET", "/api/unknown"), 404),
    Case("the root", ("GET", "/"), 404),
    Case("a sync function runs in a thread, a str is text", ("GET", "/api/sync"), 200, b"main thread: False", TEXT),
    Case("int", ("GET", "/api/things/17"), 200, {"number": "17"}, JSON),
    Case(
        "guid",
        ("GET", "/api/things/f47ac10b-58cc-4372-a567-0e02b2c3d479"),
        200,
        {"key": "f47ac10b-58cc-4372-a567-0e02b2c3d479"},
        JSON,
    ),
    Case("neither int nor guid", ("GET", "/api/things/seventeen"), 404),
    Case("a catch-all", ("GET", "/api/files/a/b.txt"), 200, {"path": "a/b.txt"}, JSON),
    Case("an empty catch-all", ("GET", "/api/files"), 200, {}, JSON),
    Case("overlapping routes", ("GET", "/api/overlap/exact"), 200, b"catching", TEXT),
    Case("no content", ("DELETE", "/api/empty"), 204, b"", TEXT),
    Case("an exception", ("GET", "/api/boom"), 500),
    Case("nothing returned", ("GET", "/api/nothing"), 500),
]


@contextlib.asynccontextmanager
async def client_of(
    engine: Literal["direct", "runtime"], *, timers: bool = False, **settings: str
) -> AsyncGenerator[httpx2.AsyncClient]:
    """The demo app behind the development host, without a socket."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in (SETTINGS | settings).items():
            environment.setenv(name, value)
        async with client_of_app(dev_host.build(APP, engine=engine, timers=timers)) as client:
            yield client


@contextlib.asynccontextmanager
async def client_of_app(app: Starlette) -> AsyncGenerator[httpx2.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://localhost") as client,
    ):
        yield client


async def assert_answers(case: Case, client: httpx2.AsyncClient) -> None:
    method, path = case.request
    response = await client.request(method, path, headers=case.headers, content=case.body)
    content = response.json() if case.content_type == JSON else response.content
    found = (response.status_code, content, response.headers.get("content-type"))
    assert found == (case.status, case.content, case.content_type)


async def assert_headers_have_one_value_and_cookies_many(client: httpx2.AsyncClient) -> None:
    response = await client.get("/api/headers")
    assert (response.status_code, response.text) == (418, "teapot")
    assert sorted(response.headers.multi_items()) == [
        ("content-length", "6"),
        ("content-type", "text/html; charset=utf-8"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2; Path=/"),
        ("x-twice", "last"),
    ]


async def assert_timers_run_on_demand(client: httpx2.AsyncClient) -> None:
    runs = sys.modules["demo_timers"].runs
    never = "0001-01-01T00:00:00+00:00"
    for name, ran in (
        ("tick", ("tick", "past due: False", never)),
        ("TOCK", ("tock", "main thread: False", True)),
        ("failing", ("failing", "past due: False", None)),
        ("tick", ("tick", "past due: False", never)),
    ):
        assert (await client.post(f"/admin/functions/{name}", json={"input": ""})).status_code == 202
        assert await runs.get() == ran
    refused = {
        "unknown": (await client.post("/admin/functions/unknown", json={"input": ""})).status_code,
        "empty body": (await client.post("/admin/functions/tick", content=b"")).status_code,
        "no object": (await client.post("/admin/functions/tick", content=b"[]")).status_code,
        "an HTTP function": (await client.post("/admin/functions/echo", json={"input": ""})).status_code,
        "GET": (await client.get("/admin/functions/tick")).status_code,
    }
    assert refused == {"unknown": 404, "empty body": 400, "no object": 400, "an HTTP function": 404, "GET": 404}
    status = await client.get("/admin/host/status")
    assert (status.status_code, status.json()) == (200, {"id": "development-host", "state": "Running"})
    assert runs.empty()
