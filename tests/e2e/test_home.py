"""The page at `/`: its headers, the address it gives, and that what it tells people to run works."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable

import httpx2
import pytest

from tests.conformance.node_tools import INSPECTOR, node
from tests.e2e.conftest import Server
from tests.services import missing
from zava.protocol.authentication import ProtectedResource
from zava.protocol.home import home_reply


@pytest.fixture(scope="module")
def page(server: Server) -> httpx2.Response:
    return httpx2.get(f"{server.base_url}/")


def _snippet(page: httpx2.Response, name: str) -> str:
    """The text behind the copy button `name`."""
    found = re.search(rf'<code id="{name}">(.*?)</code>', page.text, re.DOTALL)
    assert found is not None, name
    return html.unescape(found[1])


def test_anybody_gets_it_with_the_strict_headers_and_a_policy_of_its_own(page: httpx2.Response) -> None:
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    style, script = (
        base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
        for tag in ("style", "script")
        for found in re.findall(f"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)
    )
    assert page.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    for name, value in {
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }.items():
        assert page.headers[name] == value


def test_it_refers_to_nothing_elsewhere_and_holds_no_token(page: httpx2.Response) -> None:
    assert re.findall(r'(?:src|href)="((?!data:|#|health/)[^"]*)"', page.text) == ["https://modelcontextprotocol.io"]
    assert "url(" not in page.text
    assert "{{" not in page.text
    assert re.search(r"eyJ[\w-]+\.", page.text) is None


@pytest.mark.parametrize("name", ["vs-code-text", "claude-desktop-text", "cursor-text"])
def test_a_configuration_is_json_and_names_this_server(name: str, page: httpx2.Response, server: Server) -> None:
    text = _snippet(page, name)
    json.loads(text)
    assert f'"{server.url}"' in text


def test_the_curl_command_answers(page: httpx2.Response, token_for: Callable[..., str]) -> None:
    if shutil.which("curl") is None:
        missing("curl is not installed (Debian: apt install curl)")
    rows = json.loads(_run(_snippet(page, "curl-text"), token_for))["result"]["structuredContent"]["rows"]
    assert [name for name, _ in rows] == ["Zava Retail Seattle"]


def test_the_inspector_command_lists_the_tools(page: httpx2.Response, token_for: Callable[..., str]) -> None:
    if not INSPECTOR.exists():
        missing("the Inspector is not installed: run python -m tests.conformance.node_tools")
    command = _snippet(page, "inspector-text")
    assert command.startswith("npx @modelcontextprotocol/inspector --cli ")
    installed = command.replace("npx @modelcontextprotocol/inspector", f"'{node()}' '{INSPECTOR}'", 1)
    assert "execute_sales_query" in _run(installed + " --stored-auth-only", token_for)


def _run(command: str, token_for: Callable[..., str]) -> str:
    environment = os.environ | {"ZAVA_TOKEN": token_for("store_manager", stores=["seattle"]), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        ["bash", "-ec", command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("issuer", "base_url", "host", "expected"),
    [
        pytest.param("zava-auth", "", "localhost:7071", ("http://localhost:7071/mcp", "laptop", "no"), id="a laptop"),
        pytest.param("zava-auth", "", "evil.example", ("https://ADDRESS/mcp", "cloud", "no"), id="an unknown address"),
        pytest.param(
            "https://login.example",
            "https://zava.example",
            "evil.example",
            ("https://zava.example/mcp", "cloud", "yes"),
            id="an issuer that signs users in",
        ),
    ],
)
async def test_what_it_says_depends_on_where_it_runs(
    issuer: str, base_url: str, host: str, expected: tuple[str, str, str]
) -> None:
    text = (await home_reply(ProtectedResource(issuer, (), base_url), {"host": host})).body.decode()
    address = re.search(r'<code id="address">(.*?)</code>', text)
    place = re.search(r'<body data-place="(.*?)" data-sign-in="(.*?)">', text)
    assert address is not None
    assert place is not None
    assert (address[1], *place.groups()) == expected
    assert "evil" not in text
