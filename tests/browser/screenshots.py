"""The README's pictures: `make screenshots`, while `make run` is running with its data."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx2
from playwright.async_api import Browser

from tests.browser.chat_client import App, chromium, what_is_missing
from zava.local.token_issuer import LocalIssuer

_IMAGES = Path(__file__).resolve().parents[2] / "docs/images"
_TOOL = "show_sales_dashboard"


async def call_tool(url: str, token: str, params: dict[str, Any]) -> dict[str, Any]:
    """One `tools/call` over HTTP, as a chat client makes it."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with httpx2.AsyncClient(timeout=30) as http:
        return (await http.post(url, json=body, headers=headers)).raise_for_status().json()["result"]


async def _take(port: int, data: Path) -> None:
    token = LocalIssuer(data).mint("super_admin", stores=(), regions=())
    base = f"http://127.0.0.1:{port}"
    _IMAGES.mkdir(parents=True, exist_ok=True)
    async with chromium() as browser:
        await _home(browser, base)
        for theme, width in (("light", 1000), ("dark", 390)):
            await _dashboard(browser, f"{base}/mcp", token, theme, width)


async def _home(browser: Browser, base: str) -> None:
    page = await browser.new_page(viewport={"width": 1000, "height": 780})
    await page.goto(base)
    await page.get_by_text("reports it at").wait_for()
    await page.screenshot(path=_IMAGES / "page.png")


async def _dashboard(browser: Browser, url: str, token: str, theme: str, width: int) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 890}, locale="en-US")

    async def answer(params: dict[str, Any]) -> dict[str, Any]:
        return await call_tool(url, token, params)

    app = await App.open(context, {"theme": theme, "locale": "en-US"}, answer)
    await app.show(await answer({"name": _TOOL, "arguments": {"time_period": "last_30_days"}}))
    await app.frame.locator(".chart svg").wait_for()
    await app.page.screenshot(path=_IMAGES / f"dashboard-{theme}.png", animations="disabled")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make screenshots")
    parser.add_argument("--port", type=int, default=7071)
    parser.add_argument("--data", type=Path, default=Path(".local"))
    options = parser.parse_args()
    if problem := what_is_missing():
        sys.stderr.write(f"{problem}\n")
        return 1
    try:
        httpx2.get(f"http://127.0.0.1:{options.port}/").raise_for_status()
    except httpx2.HTTPError:
        sys.stderr.write(f"Nothing answers on port {options.port}: start it with make run PORT={options.port} first.\n")
        return 1
    asyncio.run(_take(options.port, options.data.resolve()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
