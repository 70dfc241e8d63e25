"""MCP calls that do not end well, in both protocol eras: deadlines, failures in the kernel, what is no JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from mcp.server.context import CallNext, ServerRequestContext
from mcp.shared.exceptions import MCPError as ProtocolError

from tests.small_endpoint import (
    CALLER,
    document,
    handshake,
    in_both_eras,
    modern,
    send,
    small_endpoint,
    small_server,
    tool,
)
from zava.errors import BusyError
from zava.protocol.endpoint import McpEndpoint
from zava.protocol.request import Caller


@in_both_eras
async def test_a_call_beyond_its_deadline_is_cut_into_an_error(era: Any) -> None:
    reply = await send(small_endpoint(request_timeout=0.05), era("tools/call", tool("wait")))
    assert (reply.status, document(reply)["error"]) == (
        200,
        {
            "code": -32001,
            "message": "The call was stopped: it took longer than 0.05 s",
            "data": {
                "code": "REQUEST_TIMEOUT",
                "hint": "Ask for less at once.",
                "correlation_id": reply.headers["x-correlation-id"],
            },
        },
    )


async def test_a_caller_who_cannot_be_verified_in_time_is_asked_to_come_back() -> None:
    async def wait(_headers: Mapping[str, str]) -> Caller:
        await asyncio.Event().wait()
        return CALLER

    reply = await send(small_endpoint(wait, request_timeout=0.05), handshake("ping"))
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert document(reply)["error"]["code"] == "SERVICE_UNAVAILABLE"


async def test_a_timeout_of_the_door_itself_is_no_deadline() -> None:
    async def admit(_headers: Mapping[str, str]) -> Caller:
        raise TimeoutError

    assert (await send(small_endpoint(admit), handshake("ping"))).status == 500


def endpoint_whose_kernel_raises(problem: Exception) -> McpEndpoint:
    async def raises(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> Any:
        raise problem

    server = small_server()
    server.middleware.append(raises)
    return small_endpoint(server=server)


@in_both_eras
async def test_an_unknown_failure_in_the_kernel_is_logged_and_shows_only_a_correlation_id(
    era: Any, caplog: pytest.LogCaptureFixture
) -> None:
    reply = await send(endpoint_whose_kernel_raises(RuntimeError("secret detail")), era("ping"))
    correlation_id = reply.headers["x-correlation-id"]
    error = document(reply)["error"]
    assert (reply.status, error["code"], error["message"]) == (200, -32603, "internal error")
    assert error["data"]["correlation_id"] == correlation_id
    assert [correlation_id in record.getMessage() for record in caplog.records] == [True]
    assert "secret detail" in str(caplog.records[0].exc_info)


async def test_an_error_of_zava_that_leaves_the_kernel_keeps_its_code_and_hint() -> None:
    reply = await send(endpoint_whose_kernel_raises(BusyError("three at most", "Wait.")), handshake("ping"))
    assert document(reply)["error"] == {
        "code": -32603,
        "message": "three at most",
        "data": {"code": "BUSY", "message": "three at most", "hint": "Wait."},
    }


async def test_an_error_of_the_protocol_keeps_its_code_and_gets_its_status() -> None:
    problem = ProtocolError(-32021, "sampling is needed", {"requiredCapabilities": {"sampling": {}}})
    reply = await send(endpoint_whose_kernel_raises(problem), modern("tools/list"))
    assert (reply.status, document(reply)["error"]) == (
        400,
        {"code": -32021, "message": "sampling is needed", "data": {"requiredCapabilities": {"sampling": {}}}},
    )


async def test_an_answer_that_is_no_json_becomes_an_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    server = small_server()

    @server.tool(structured_output=False)
    async def surrogate() -> str:  # pyright: ignore[reportUnusedFunction]
        return "\ud800"

    reply = await send(small_endpoint(server=server), handshake("tools/call", tool("surrogate")))
    assert (reply.status, document(reply)["error"]["message"]) == (200, "internal error")
    assert caplog.records


async def test_numbers_that_json_lacks_are_null_in_results_and_in_errors() -> None:
    server = small_server()

    @server.tool()
    async def odd() -> dict[str, float]:  # pyright: ignore[reportUnusedFunction]
        return {"nan": float("nan"), "infinity": float("inf"), "one": 1.0}

    result = document(await send(small_endpoint(server=server), handshake("tools/call", tool("odd"))))["result"]
    assert result["structuredContent"] == {"nan": None, "infinity": None, "one": 1.0}
    problem = ProtocolError(-32000, "no", {"nan": float("nan")})
    error = document(await send(endpoint_whose_kernel_raises(problem), handshake("ping")))["error"]
    assert error["data"] == {"nan": None}
