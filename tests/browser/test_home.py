"""The page at `/` of the running app, as a person sees and uses it."""

from __future__ import annotations

from typing import Literal, Protocol

import pytest
from playwright.async_api import Route

from tests.browser.chat_client import Tab, violations
from tests.browser.conftest import NewContext
from tests.e2e.conftest import Server

Scheme = Literal["light", "dark"]


class OpenHome(Protocol):
    """Opens the page; `health` answers in place of the server's own report."""

    async def __call__(self, *, color_scheme: Scheme = "light", health: str | None = None) -> Tab: ...


@pytest.fixture
def open_home(new_context: NewContext, server: Server) -> OpenHome:
    async def make(*, color_scheme: Scheme = "light", health: str | None = None) -> Tab:
        context = await new_context(color_scheme=color_scheme)
        await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.base_url)
        tab = Tab(await context.new_page())

        async def serve(route: Route) -> None:
            if health is not None and route.request.url == f"{server.base_url}/health/ready":
                await route.fulfill(body=health, content_type="application/json", status=503)
            elif route.request.url.startswith(f"{server.base_url}/"):
                await route.continue_()
            else:
                await tab.unserved(route)

        await context.route("**/*", serve)
        await tab.page.goto(f"{server.base_url}/")
        await tab.page.get_by_text("reports it at").wait_for()
        return tab

    return make


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
async def test_it_is_accessible_fits_the_window_and_loads_nothing_from_elsewhere(
    color_scheme: Scheme, open_home: OpenHome
) -> None:
    tab = await open_home(color_scheme=color_scheme)
    for width in (1100, 320):
        await tab.page.set_viewport_size({"width": width, "height": 800})
        assert await violations(tab.page) == []
        assert await tab.page.evaluate("document.documentElement.scrollWidth") <= width
        await tab.screenshot(f"home-{width}-{color_scheme}")
    assert tab.problems == []


async def test_it_shows_the_health_the_server_reports(open_home: OpenHome) -> None:
    tab = await open_home()
    assert await tab.page.locator("#health dd").all_inner_texts() == ["ready", "ok", "proved"]
    ill = await open_home(health='{"status": "not ready", "database": "failed", "isolation": "unknown"}')
    assert await ill.page.locator("#health [data-state=bad] dd").all_inner_texts() == ["not ready", "failed", "unknown"]
    assert await violations(ill.page) == []
    (problem,) = ill.problems
    assert "status of 503" in problem
    assert tab.problems == []


async def test_the_clients_are_tabs_for_the_keyboard_and_their_text_is_copied(
    open_home: OpenHome, server: Server
) -> None:
    tab = await open_home()
    await tab.page.get_by_role("tab", name="VS Code").focus()
    seen: list[str] = []
    for key in ("ArrowRight", "End", "ArrowRight", "ArrowLeft"):
        await tab.page.keyboard.press(key)
        seen.append(await tab.page.locator("[role=tab][aria-selected=true]").inner_text())
    assert seen == ["Claude Code", "curl", "VS Code", "curl"]
    assert await tab.page.get_by_role("tabpanel").count() == 1
    await tab.page.get_by_role("button", name="Copy: Command for curl").click()
    await tab.page.get_by_text("Copied").first.wait_for()
    copied = await tab.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f'curl -s {server.url} \\\n  -H "Authorization: Bearer $ZAVA_TOKEN" \\\n')
    assert tab.problems == []
