"""One headless Chromium for the run, in which nothing but what a test serves is there to be reached."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.async_api import Browser, BrowserContext, Frame, Page, Route, async_playwright

from tests.browser.packages import PACKAGES, axe_script, host_script
from tests.e2e.conftest import server, server_url, token_for
from zava.protocol.apps import dashboard_html

__all__ = ["server", "server_url", "token_for"]  # the running app is the end-to-end tests' own

SCREENSHOTS = Path(__file__).resolve().parents[2] / "test-artifacts/screenshots"
_SWITCHES = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
_HOST, _APP = "http://host.test/", "http://app.test/"
# What a host must enforce for an app that declares no domains (MCP Apps 2026-01-26, "Host Behavior").
_APP_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "media-src 'self' data:; connect-src 'none'; frame-src 'none'; object-src 'none'; base-uri 'self'"
)
_HOST_PAGE = (
    '<!doctype html><html lang="en"><title>Host</title><link rel="icon" href="data:,">'
    "<style>body { margin: 0 } iframe { display: block; width: 100%; border: 0 }</style><script>{script}</script>"
)
# WCAG 2.2 AA, and axe's own rules of good practice: landmarks, headings, regions.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium")
    problem = (
        "Chromium is not installed: apt install chromium"
        if chromium is None
        else None
        if PACKAGES.installed()
        else "the browser tests' packages are not installed: run python -m tests.browser.packages"
    )
    if problem:
        if os.environ.get("ZAVA_REQUIRE_SERVICES") == "1":
            pytest.fail(problem)
        pytest.skip(problem)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=_SWITCHES)
        yield browser
        await browser.close()


class Tab:
    """A page with what went wrong on it: messages of the console, errors, requests for what nobody serves."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))

    def _note(self, kind: str, text: str) -> None:
        if kind in {"warning", "error"}:
            self.problems.append(f"{kind}: {text}")

    async def unserved(self, route: Route) -> None:
        self.problems.append(f"request: {route.request.url}")
        await route.abort()

    async def screenshot(self, name: str) -> None:
        """The whole page: what lies outside the window is not painted in frames, so the window grows to it."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        before = self.page.viewport_size
        height = await self.page.evaluate("document.documentElement.scrollHeight")
        assert before is not None
        await self.page.set_viewport_size({"width": before["width"], "height": height})
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")


class App(Tab):
    """The dashboard in the frame of a chat client."""

    @property
    def frame(self) -> Frame:
        return self.page.frames[1]

    async def text(self, selector: str) -> str:
        return await self.frame.locator(selector).inner_text()

    async def show(self, result: dict[str, Any]) -> None:
        """Give the app a tool's result, as the host does after the call."""
        await self.page.evaluate("result => bridge.sendToolResult(result)", result)
        await self.frame.locator("#report:not([hidden]), #problem:not([hidden])").first.wait_for()

    async def seen(self, what: str) -> Any:
        """What the host has seen of the app: `calls`, `contexts`, `heights`."""
        return await self.page.evaluate("what => seen[what]", what)


@pytest.fixture
async def new_context(browser: Browser) -> AsyncIterator[Callable[..., Awaitable[BrowserContext]]]:
    """`new_context(width=320, color_scheme="dark")`."""
    opened: list[BrowserContext] = []

    async def make(*, width: int = 1100, color_scheme: Any = "light") -> BrowserContext:
        context = await browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=color_scheme, locale="en-US", timezone_id="UTC"
        )
        context.set_default_timeout(10_000)
        opened.append(context)
        return context

    yield make
    for context in opened:
        await context.close()


class OpenApp(Protocol):
    """Shows the dashboard in a chat client. Without `call_tool` (from params to result) the host offers no tools."""

    async def __call__(
        self,
        *,
        width: int = 1100,
        context: dict[str, Any] | None = None,
        call_tool: Callable[[dict[str, Any]], Any] | None = None,
    ) -> App: ...


@pytest.fixture
def open_app(new_context: Callable[..., Awaitable[BrowserContext]]) -> OpenApp:

    async def make(
        *,
        width: int = 1100,
        context: dict[str, Any] | None = None,
        call_tool: Callable[[dict[str, Any]], Any] | None = None,
    ) -> App:
        browser_context = await new_context(width=width)
        app = App(await browser_context.new_page())

        async def serve(route: Route) -> None:
            if route.request.url == _HOST:
                await route.fulfill(body=_HOST_PAGE.replace("{script}", host_script()), content_type="text/html")
            elif route.request.url == _APP:
                headers = {"content-security-policy": _APP_POLICY, "content-type": "text/html; charset=utf-8"}
                await route.fulfill(body=dashboard_html(), headers=headers)
            else:
                await app.unserved(route)

        await browser_context.route("**/*", serve)
        await app.page.goto(_HOST)
        if call_tool is not None:
            await app.page.expose_function("callTool", call_tool)
        arguments = [_APP, {"theme": "light", "locale": "en-US"} | (context or {}), call_tool is not None]
        await app.page.evaluate("([url, context, tools]) => showApp(url, context, tools)", arguments)
        return app

    return make


async def violations(frame: Frame | Page) -> list[str]:
    """What axe-core finds wrong, one line a kind."""
    await frame.evaluate(axe_script())
    found = await frame.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", _RULES)
    return [f"{rule['id']}: {[node['html'][:120] for node in rule['nodes'][:3]]}" for rule in found["violations"]]
