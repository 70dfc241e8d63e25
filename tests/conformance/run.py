"""Runs the official MCP conformance suite against the real endpoint under the development host, in both revisions.

The suite cannot send a header of ours, so a small proxy in front of the host adds the bearer of this run to requests
that bring none. Exit code 0: every required scenario passes, except those that the baseline names with a reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.conformance.node_tools import PACKAGES, SUITE, NodeToolsError, node
from zava.local import dev_host

FOLDER = Path(__file__).parent
RUNS = {
    "revision 2026-07-28": ["--requirements", "2026-07-28"],
    "revision 2025-11-25": [
        *("--requirements", "2025-11-25"),
        *("--expected-failures", str(FOLDER / "baseline-2025-11-25.yml")),
    ],
    # Not yet required by any revision, and never scored with one; they pass, and shall go on passing.
    **{
        f"pending scenario {name}": ["--scenario", name, "--spec-version", "2026-07-28"]
        for name in ("http-header-validation", "http-custom-header-server-validation", "json-schema-2020-12")
    },
}


class BearerProxy:
    """Passes every request on as it is, with the bearer when it has no `Authorization`."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._header = (b"authorization", f"Bearer {token}".encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and all(name != b"authorization" for name, _ in scope["headers"]):
            scope = {**scope, "headers": [*scope["headers"], self._header]}
        await self._app(scope, receive, send)


@contextlib.asynccontextmanager
async def serving(app: Starlette, port: int) -> AsyncGenerator[None]:
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="on"))
    task = asyncio.create_task(server.serve())
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await task


async def check_that_strangers_are_refused(url: str) -> None:
    """The suite proves nothing about the endpoint as deployed if it ran without the bearer check."""
    async with httpx2.AsyncClient() as client:
        headers = {"authorization": "Bearer somebody", "accept": "application/json"}
        reply = await client.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers)
    if reply.status_code != 401:
        raise SystemExit(f"A foreign token was answered with {reply.status_code} instead of 401.")


async def run_suite(url: str, name: str, options: list[str]) -> int:
    print(f"\n===== MCP conformance: {name} =====", flush=True)  # noqa: T201
    suite = await asyncio.create_subprocess_exec(str(node()), str(SUITE), "server", "--url", url, *options)
    return await suite.wait()


async def main() -> int:
    PACKAGES.install()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_urlsafe(32)
    os.environ["ZAVA_CONFORMANCE_TOKEN"] = token
    os.environ["ZAVA_CONFORMANCE_ORIGINS"] = f"http://127.0.0.1:{port} http://localhost:{port}"
    host = dev_host.build(FOLDER / "app", timers=False)
    host.add_middleware(BearerProxy, token=token)
    async with serving(host, port):
        url = f"http://127.0.0.1:{port}/mcp"
        await check_that_strangers_are_refused(url)
        results = {name: await run_suite(url, name, options) for name, options in RUNS.items()}
    print()  # noqa: T201
    for name, code in results.items():
        print(f"{name}: {'passed' if code == 0 else f'FAILED (exit code {code})'}")  # noqa: T201
    return max(results.values())


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except NodeToolsError as problem:
        sys.exit(str(problem))
