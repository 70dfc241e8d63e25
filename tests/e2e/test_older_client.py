"""The SDK's first generation, which many hosts still carry: it connects, lists and asks, by the handshake it knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.services import missing
from zava.local.stores import STORES

PROJECT = Path(__file__).resolve().parents[2]
CLIENT = "mcp==1.30.0"

_TALK = """
import asyncio, json, sys
from importlib.metadata import version
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

async def talk(url, token, sql):
    async with (
        streamablehttp_client(url, headers={"Authorization": f"Bearer {token}"}) as (read, write, session_id),
        ClientSession(read, write) as session,
    ):
        opened = await session.initialize()
        tools = await session.list_tools()
        answer = await session.call_tool("execute_sales_query", {"postgresql_query": sql})
        refused = await session.call_tool("execute_sales_query", {"postgresql_query": "DELETE FROM orders"})
        prompts = await session.list_prompts()
        print(json.dumps({
            "client": version("mcp"), "protocol": opened.protocolVersion, "session": session_id(),
            "tools": sorted(tool.name for tool in tools.tools), "prompts": len(prompts.prompts),
            "rows": answer.structuredContent["rows"], "text": json.loads(answer.content[0].text)["rows"],
            "refused": refused.isError,
        }))

asyncio.run(talk(*sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def packages() -> Path:
    """The client with all it needs, apart from this environment, which holds the second generation."""
    folder = PROJECT / ".venv-older-client" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    stamp = folder / CLIENT
    if not stamp.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(folder), CLIENT]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            missing(f"{CLIENT} cannot be installed here: {done.stderr}")
        stamp.touch()
    return folder


def _environment(packages: Path) -> Mapping[str, str]:
    return {"PYTHONPATH": str(packages), "PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"}


def test_the_first_generation_of_the_sdk_connects_lists_and_asks(
    packages: Path, server_url: str, token_for: Callable[..., str]
) -> None:
    token = token_for("store_manager", stores=["seattle"])
    # -S: nothing but the client's own packages.
    command = [sys.executable, "-S", "-c", _TALK, server_url, token, "SELECT store_name FROM stores"]
    done = subprocess.run(command, env=_environment(packages), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    seattle = next(store for store in STORES if store.slug == "seattle")
    assert answer == {
        "client": CLIENT.removeprefix("mcp=="),
        "protocol": "2025-11-25",
        "session": None,
        "tools": [
            "execute_sales_query",
            "get_current_utc_date",
            "get_multiple_table_schemas",
            "get_store_performance",
            "semantic_search_products",
            "show_sales_dashboard",
        ],
        "prompts": 4,
        "rows": [[seattle.name]],
        "text": [[seattle.name]],
        "refused": True,
    }
