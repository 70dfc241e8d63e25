"""A chat client in a browser: the host side of MCP Apps around the dashboard, and what went wrong in it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Frame, Page, Route, async_playwright

from tests.browser.packages import PACKAGES, axe_script, host_script
from zava.protocol.apps import page

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

CallTool = Callable[[dict[str, Any]], Any]
"""From the params of `tools/call` to its result; may be a coroutine function."""


def what_is_missing() -> str | None:
    """What has to be installed before a browser can be had; None when nothing has."""
    if shutil.which("chromium") is None:
        return "Chromium is not installed: apt install chromium"
    if not PACKAGES.installed():
        return "the browser tests' packages are not installed: run python -m tests.browser.packages"
    return None


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """Debian's Chromium without a window, and with a profile of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_SWITCHES)
        try:
            yield browser
        finally:
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

    async def grow(self) -> None:
        """Make the window as high as the page: what lies outside of it is not painted in frames."""
        before = self.page.viewport_size
        assert before is not None
        height = await self.page.evaluate("document.documentElement.scrollHeight")
        await self.page.set_viewport_size({"width": before["width"], "height": height})

    async def screenshot(self, name: str) -> None:
        """The whole page, among what CI keeps."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await self.grow()
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")


class App(Tab):
    """The dashboard in the frame of a chat client."""

    @classmethod
    async def open(cls, browser: BrowserContext, context: dict[str, Any], call_tool: CallTool | None) -> App:
        """Show the dashboard. Without `call_tool` the host offers no tools."""
        app = cls(await browser.new_page())

        async def serve(route: Route) -> None:
            if route.request.url == _HOST:
                await route.fulfill(body=_HOST_PAGE.replace("{script}", host_script()), content_type="text/html")
            elif route.request.url == _APP:
                headers = {"content-security-policy": _APP_POLICY, "content-type": "text/html; charset=utf-8"}
                await route.fulfill(body=page("dashboard"), headers=headers)
            else:
                await app.unserved(route)

        await app.page.route("**/*", serve)
        await app.page.goto(_HOST)
        if call_tool is not None:
            await app.page.expose_function("callTool", call_tool)
        arguments = [_APP, context, call_tool is not None]
        await app.page.evaluate("([url, context, tools]) => showApp(url, context, tools)", arguments)
        return app

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


async def violations(frame: Frame | Page) -> list[str]:
    """What axe-core finds wrong, one line a kind."""
    await frame.evaluate(axe_script())
    found = await frame.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", _RULES)
    return [f"{rule['id']}: {[node['html'][:120] for node in rule['nodes'][:3]]}" for rule in found["violations"]]
