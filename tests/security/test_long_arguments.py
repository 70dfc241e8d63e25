"""No argument, however long, holds a worker up: it is refused before anybody looks at its characters."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.conftest import Cluster
from tests.in_process import InProcess
from zava.bootstrap import Application

_MOST = 250_000  # a body may have 262 144 bytes
_ZAVA = "zava " * (_MOST // 5)  # a word that every store has
_SPACES = " " * (_MOST // 2) + "x" + " " * (_MOST // 2)
_SECONDS = 0.3
"""Of the processor. Words of a store took half a second, and sixty such calls may come at once."""


def _tool(name: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    return "tools/call", {"name": name, "arguments": arguments}


def _prompt(name: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    return "prompts/get", {"name": name, "arguments": arguments}


_CALLS = {
    "words of a store": _tool("get_store_performance", store=_ZAVA),
    "a period": _tool("get_store_performance", time_period=_SPACES),
    "a count of days": _tool("get_store_performance", time_period=f"last_{'9' * 5_000}_days"),
    "a store of the dashboard": _tool("show_sales_dashboard", store=_ZAVA),
    "a description": _tool("semantic_search_products", query_description=_ZAVA),
    "a statement": _tool("execute_sales_query", postgresql_query=f"SELECT '{_ZAVA}'"),
    "a table": _tool("get_multiple_table_schemas", table_names=[_ZAVA]),
    "a need": _prompt("find_products", need=_ZAVA),
    "a store of a prompt": _prompt("monthly_review", store="\u200b" * (_MOST // 6)),
    "a period of a prompt": _prompt("compare_stores", period="x" * _MOST),
    "a name of an argument": _prompt("monthly_review", **{"x" * _MOST: "y"}),
    "a resource": ("resources/read", {"uri": f"zava://schema/{'x' * _MOST}"}),
    "a begun value": (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "monthly_review"}, "argument": {"name": "store", "value": _ZAVA}},
    ),
}


@pytest.mark.parametrize(("method", "params"), _CALLS.values(), ids=_CALLS.keys())
async def test_a_long_argument_takes_no_time(
    application: Application, cluster: Cluster, method: str, params: dict[str, Any]
) -> None:
    caller = InProcess(application, cluster.issuer.mint("super_admin"))
    await caller.ask("tools/list")  # what is made once is made now
    before = time.process_time()
    _, answer = await caller.ask(method, **params)
    assert time.process_time() - before < _SECONDS
    assert len(str(answer)) < 20_000, "nothing long is given back"
    assert "internal error" not in str(answer)
    assert "must not exceed" not in str(answer), "the body itself may be that long"
