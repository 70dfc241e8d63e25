"""Runs the official MCP conformance suite under the development host, in both revisions, twice.

Once against an app that offers the suite's own tools, resources and prompts behind Zava's endpoint: everything that is
required. Once against the product, over a database of its own: every scenario that asks for no such fixture.

The suite cannot send a header of ours, so a small proxy in front of the host adds a bearer to requests that bring none.
Exit code 0: every scenario passes, except those that a baseline names with a reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.conformance.node_tools import PACKAGES, SUITE, NodeToolsError, node
from zava.local import dev_host
from zava.local.environment import prepared
from zava.local.token_issuer import LocalIssuer

FOLDER = Path(__file__).parent
PROJECT = FOLDER.parents[1]
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


# Those whose every check an "unknown tool" would satisfy are left out: they would say nothing of the product.
_OF_THE_PRODUCT = {
    "2025-11-25": (
        "server-initialize",
        "ping",
        "completion-complete",
        "tools-list",
        "resources-list",
        "prompts-list",
        "dns-rebinding-protection",
    ),
    "2026-07-28": (
        "server-stateless",
        "completion-complete",
        "tools-list",
        "resources-list",
        "prompts-list",
        "sep-2164-resource-not-found",
        "dns-rebinding-protection",
        "caching",
        "http-header-validation",
        "input-required-result-unsupported-methods",
    ),
}
PRODUCT_RUNS = {
    f"the product, {name}, {revision}": [
        *("--scenario", name, "--spec-version", revision),
        *("--expected-failures", str(FOLDER / "baseline-product.yml")),
    ]
    for revision, names in _OF_THE_PRODUCT.items()
    for name in names
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


async def run_against(app_dir: Path, token: str, runs: dict[str, list[str]], origins_setting: str) -> dict[str, int]:
    """Exit codes of the runs. The app's settings are in the environment; `origins_setting` names the one made here."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ[origins_setting] = ",".join(f"http://{host}:{port}" for host in ("127.0.0.1", "localhost"))
    host = dev_host.build(app_dir, timers=False)
    host.add_middleware(BearerProxy, token=token)
    async with serving(host, port):
        url = f"http://127.0.0.1:{port}/mcp"
        await check_that_strangers_are_refused(url)
        return {name: await run_suite(url, name, options) for name, options in runs.items()}


def main() -> int:
    PACKAGES.install()
    token = secrets.token_urlsafe(32)
    os.environ["ZAVA_CONFORMANCE_TOKEN"] = token
    results = asyncio.run(run_against(FOLDER / "app", token, RUNS, "ZAVA_CONFORMANCE_ORIGINS"))
    with tempfile.TemporaryDirectory(prefix="zava-conformance-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # as root the server runs as nobody
        data = Path(folder) / "data"
        with prepared(data, scale=0.01) as environment:
            os.environ.update(environment)
            token = LocalIssuer(data).mint("super_admin")
            results |= asyncio.run(run_against(PROJECT, token, PRODUCT_RUNS, "MCP_ALLOWED_ORIGINS"))
    print()  # noqa: T201
    for name, code in results.items():
        print(f"{name}: {'passed' if code == 0 else f'FAILED (exit code {code})'}")  # noqa: T201
    return max(results.values())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NodeToolsError as problem:
        sys.exit(str(problem))
