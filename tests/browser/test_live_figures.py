"""The dashboard with figures of the running app: through the official host side, and in the Inspector's web client."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Route

from tests.browser.chat_client import SCREENSHOTS
from tests.browser.conftest import NewContext, OpenApp
from tests.browser.screenshots import call_tool
from tests.conformance.node_tools import INSPECTOR, PACKAGES, node
from tests.conftest import find_unused_port
from tests.e2e.conftest import Server
from tests.services import missing

_DEFAULT: dict[str, Any] = {"name": "show_sales_dashboard", "arguments": {}}


async def test_a_filter_shows_what_the_tool_answers_for_that_store(
    open_app: OpenApp, server: Server, token_for: Callable[..., str]
) -> None:
    token = token_for("super_admin")
    answers: list[dict[str, Any]] = []

    async def answer(params: dict[str, Any]) -> dict[str, Any]:
        answers.append(await call_tool(server.url, token, params))
        return answers[-1]

    app = await open_app(call_tool=answer)
    await app.show(await answer({"name": "show_sales_dashboard", "arguments": {"time_period": "last_12_months"}}))
    assert await app.frame.get_by_role("combobox", name="Period").input_value() == "last_12_months"
    await app.frame.get_by_role("combobox", name="Store").select_option(label="Zava Retail Tacoma")
    await app.frame.get_by_role("heading", name="Zava Retail Tacoma").wait_for()
    everywhere, tacoma = (answer["structuredContent"] for answer in answers)
    revenue = next(figure["value"] for figure in tacoma["figures"] if figure["name"] == "revenue")
    assert await app.text(".tile:first-child .value") == f"${revenue:,.0f}"
    assert 0 < revenue < next(figure["value"] for figure in everywhere["figures"] if figure["name"] == "revenue")
    assert await app.frame.locator(".insights li").all_inner_texts() == [
        insight["sentence"] for insight in tacoma["insights"]
    ]
    await app.screenshot("dashboard-live-1100-light")
    assert app.problems == []


async def test_a_store_managers_dashboard_has_one_store_and_another_is_refused_with_a_hint(
    open_app: OpenApp, server: Server, token_for: Callable[..., str]
) -> None:
    token = token_for("store_manager", stores=["seattle"])
    app = await open_app(call_tool=lambda params: call_tool(server.url, token, params))
    await app.show(await call_tool(server.url, token, _DEFAULT))
    assert await app.text("#subject") == "Zava Retail Seattle"
    assert not await app.frame.get_by_role("combobox", name="Store").is_visible()
    foreign = {"name": "show_sales_dashboard", "arguments": {"store": "Zava Retail Tacoma"}}
    await app.show(await call_tool(server.url, token, foreign))
    await app.frame.get_by_role("alert").wait_for()
    assert "Zava Retail Seattle" in await app.text("#problem")
    assert app.problems == []


class InspectorWeb:
    """The Inspector's web client, started for one server; `url` opens it."""

    def __init__(self, server_url: str, bearer: str, home: Path) -> None:
        ports = [find_unused_port() for _ in range(3)]
        names = ("CLIENT_PORT", "MCP_SANDBOX_PORT", "MCP_APP_ORIGIN_PORT")
        environment = {
            **{name: str(port) for name, port in zip(names, ports, strict=True)},
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "NO_PROXY": "127.0.0.1",
            "MCP_AUTO_OPEN_ENABLED": "false",
            "MCP_INSPECTOR_SECRET_STORE": "memory",
        }
        command = [str(node()), str(INSPECTOR), "--web", "--server-url", server_url, "--transport", "http"]
        self.process = subprocess.Popen(
            [*command, "--header", f"Authorization: Bearer {bearer}"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = next(found[0] for line in self.process.stdout if (found := re.search(r"http://\S+TOKEN=\S+", line)))

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=20)


@pytest.fixture
def inspector_web(
    server: Server, token_for: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InspectorWeb]:
    if not PACKAGES.installed():
        missing("the Inspector is not installed: run python -m tests.conformance.node_tools")
    web = InspectorWeb(server.url, token_for("super_admin"), tmp_path_factory.mktemp("inspector"))
    yield web
    web.stop()


async def test_the_inspectors_web_client_shows_the_dashboard_and_its_filter_works(
    new_context: NewContext, inspector_web: InspectorWeb
) -> None:
    page = await (await new_context()).new_page()

    async def local_only(route: Route) -> None:  # the Inspector itself would fetch fonts
        await (route.continue_() if route.request.url.startswith("http://127.0.0.1:") else route.abort())

    await page.route("**/*", local_only)
    await page.goto(inspector_web.url)
    await page.get_by_role("switch").click(force=True)
    await page.get_by_text("Apps", exact=True).click()
    await page.get_by_role("button", name="Sales dashboard").click()
    await page.get_by_role("button", name="Open App").click()
    app = page.frame_locator("iframe").frame_locator("iframe")
    await app.get_by_role("heading", name="Revenue trend").wait_for()
    await app.get_by_role("combobox", name="Store").select_option(label="Zava Retail Tacoma")
    await app.get_by_role("heading", name="Zava Retail Tacoma").wait_for()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / "dashboard-in-the-inspector.png")
