"""The MCP Inspector's command line against the running app: another client than the SDK's, which also lints schemas."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.node_tools import INSPECTOR, PACKAGES, node
from tests.services import missing

TOOLS = {"execute_sales_query", "get_multiple_table_schemas", "get_current_utc_date", "semantic_search_products"}
ERAS = ["legacy", "modern"]
REFUSED, TOOL_ERROR = 3, 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What one run of the Inspector printed. `result` is the MCP result, empty when there was none."""

    exit_code: int
    result: dict[str, Any]
    messages: str


class Inspector:
    """Runs the Inspector with one bearer. `home` takes what it writes beside its answer."""

    def __init__(self, url: str, bearer: str, home: Path) -> None:
        self._command = [str(node()), str(INSPECTOR), "--cli", url, "--transport", "http", "--format", "json"]
        self._command += ["--stored-auth-only", "--header", f"Authorization: Bearer {bearer}"]
        self._environment = {"HOME": str(home), "PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"}

    def list_tools(self, era: str) -> Answer:
        """With the strict lint, so an unportable schema gives exit code 6."""
        return self._run(era, "tools/list", "--strict")

    def call_tool(self, era: str, name: str, **arguments: object) -> Answer:
        return self._run(era, "tools/call", "--tool-name", name, "--tool-args-json", json.dumps(arguments))

    def app_of(self, name: str) -> dict[str, Any]:
        """What it says of the tool's MCP App, without calling the tool."""
        command = [*self._command, "--method", "tools/call", "--tool-name", name, "--app-info"]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)["appInfo"]

    def _run(self, era: str, method: str, *options: str) -> Answer:
        command = [*self._command, "--protocol-era", era, "--method", method, *options]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=60, check=False)
        return Answer(done.returncode, json.loads(done.stdout)["result"] if done.stdout else {}, done.stderr)


@pytest.fixture(scope="module")
def inspector(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Inspector]:
    """`inspector(bearer)`."""
    if not PACKAGES.installed():
        missing("the Inspector is not installed: run python -m tests.conformance.node_tools")
    return lambda bearer: Inspector(server_url, bearer, tmp_path_factory.mktemp("inspector"))


@pytest.fixture(scope="module")
def head_office(inspector: Callable[[str], Inspector], token_for: Callable[..., str]) -> Inspector:
    return inspector(token_for("super_admin"))


@pytest.mark.parametrize("era", ERAS)
def test_it_lists_the_tools_and_finds_nothing_wrong_with_their_schemas(head_office: Inspector, era: str) -> None:
    answer = head_office.list_tools(era)
    assert answer.exit_code == 0, answer.messages
    assert {tool["name"] for tool in answer.result["tools"]} >= TOOLS


@pytest.mark.parametrize("era", ERAS)
def test_it_calls_a_tool(head_office: Inspector, era: str) -> None:
    answer = head_office.call_tool(
        era, "execute_sales_query", postgresql_query="SELECT count(*) AS n FROM retail.stores"
    )
    assert answer.exit_code == 0, answer.messages
    assert answer.result["structuredContent"]["rows"] == [[8]]


@pytest.mark.parametrize("era", ERAS)
def test_it_sees_a_refused_query_as_a_tool_error(head_office: Inspector, era: str) -> None:
    answer = head_office.call_tool(era, "execute_sales_query", postgresql_query="DELETE FROM retail.orders")
    assert (answer.exit_code, answer.result["isError"]) == (TOOL_ERROR, True)


def test_it_is_refused_with_a_token_nobody_issued(inspector: Callable[[str], Inspector]) -> None:
    assert inspector("a-token-nobody-issued").list_tools("legacy").exit_code == REFUSED


def test_it_finds_the_app_of_the_dashboard_and_none_elsewhere(head_office: Inspector) -> None:
    assert head_office.app_of("show_sales_dashboard") == {
        "hasApp": True,
        "toolName": "show_sales_dashboard",
        "resourceUri": "ui://zava/dashboard",
        "resourceMimeType": "text/html;profile=mcp-app",
        "visibility": ["model", "app"],
        "prefersBorder": True,
    }
    assert not head_office.app_of("get_store_performance")["hasApp"]
