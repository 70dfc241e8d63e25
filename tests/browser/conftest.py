"""One headless Chromium for the run, in which nothing but what a test serves is there to be reached."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, Protocol

import pytest
from playwright.async_api import Browser, BrowserContext

from tests.browser.chat_client import App, CallTool, chromium, what_is_missing
from tests.e2e.conftest import server, server_url, token_for
from tests.services import missing

__all__ = ["server", "server_url", "token_for"]  # the running app is the end-to-end tests' own


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    if problem := what_is_missing():
        missing(problem)
    async with chromium() as browser:
        yield browser


class NewContext(Protocol):
    async def __call__(self, *, color_scheme: Literal["light", "dark"] = "light") -> BrowserContext: ...


@pytest.fixture
async def new_context(browser: Browser) -> AsyncIterator[NewContext]:
    opened: list[BrowserContext] = []

    async def make(*, color_scheme: Literal["light", "dark"] = "light") -> BrowserContext:
        context = await browser.new_context(
            viewport={"width": 1100, "height": 800}, color_scheme=color_scheme, locale="en-US", timezone_id="UTC"
        )
        context.set_default_timeout(10_000)
        opened.append(context)
        return context

    yield make
    for context in opened:
        await context.close()


class OpenApp(Protocol):
    """Shows the dashboard in a chat client that speaks English and is light, unless `context` says otherwise."""

    async def __call__(self, *, context: dict[str, Any] | None = None, call_tool: CallTool | None = None) -> App: ...


@pytest.fixture
def open_app(new_context: NewContext) -> OpenApp:
    async def make(*, context: dict[str, Any] | None = None, call_tool: CallTool | None = None) -> App:
        return await App.open(await new_context(), {"theme": "light", "locale": "en-US"} | (context or {}), call_tool)

    return make
