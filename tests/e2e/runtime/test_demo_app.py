"""Microsoft's runtime indexes and answers the demo app exactly as the direct engine does."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.e2e.hosts.answers import (
    CASES,
    Case,
    assert_answers,
    assert_headers_have_one_value_and_cookies_many,
    assert_timers_run_on_demand,
    client_of,
    client_of_app,
)
from zava.local import dev_host
from zava.local.functions_engine import DevHostError


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_demo_app_is_answered_as_the_functions_host_answers(case: Case) -> None:
    async with client_of("runtime") as client:
        await assert_answers(case, client)


async def test_headers_have_one_value_and_cookies_many() -> None:
    async with client_of("runtime") as client:
        await assert_headers_have_one_value_and_cookies_many(client)


async def test_timers_run_on_demand() -> None:
    async with client_of("runtime") as client:
        await assert_timers_run_on_demand(client)


async def test_an_app_that_the_runtime_does_not_accept_fails_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    (tmp_path / "host.json").write_text("{}")
    (tmp_path / "function_app.py").write_text(
        "import azure.functions as func\n"
        "app = func.FunctionApp()\n"
        "@app.route(route='x')\n"
        "def page(req: func.TimerRequest) -> str: return 'x'\n"
    )
    with pytest.raises(DevHostError, match=r"^Microsoft's runtime refuses the app: .*req.*TimerRequest"):
        async with client_of_app(dev_host.build(tmp_path, engine="runtime")):
            pass
