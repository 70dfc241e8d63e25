"""MCP calls of both protocol eras through the endpoint: what is answered, and what a tool learns."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from mcp.server.mcpserver import Context
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS

from tests.small_endpoint import (
    CALLER,
    MODERN,
    HttpRequest,
    document,
    handshake,
    in_both_eras,
    modern,
    post,
    send,
    small_endpoint,
    small_server,
    tool,
)
from zava.protocol.request import Caller

SERVER_INFO = {"io.modelcontextprotocol/serverInfo": {"name": "small", "version": "1.0"}}


def initialize(version: str) -> HttpRequest:
    info = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}
    return post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": info})


def text_of(result: dict[str, Any]) -> str:
    return result["content"][0]["text"]


@pytest.mark.parametrize("version", HANDSHAKE_PROTOCOL_VERSIONS)
async def test_initialize_agrees_on_every_version_of_the_handshake_era(version: str) -> None:
    answer = document(await send(small_endpoint(), initialize(version)))
    assert (answer["id"], answer["result"]["protocolVersion"]) == (0, version)
    assert answer["result"]["serverInfo"] == {"name": "small", "version": "1.0"}


@pytest.mark.parametrize("version", [MODERN, "1900-01-01", "soon"])
async def test_initialize_offers_the_newest_handshake_version_for_one_it_does_not_know(version: str) -> None:
    answer = document(await send(small_endpoint(), initialize(version)))
    assert answer["result"]["protocolVersion"] == HANDSHAKE_PROTOCOL_VERSIONS[-1]


@pytest.mark.parametrize("version", [None, *HANDSHAKE_PROTOCOL_VERSIONS])
async def test_a_handshake_era_call_needs_no_initialize_before_it(version: str | None) -> None:
    request = handshake("tools/call", tool("add", a=20, b=22)).but(mcp_protocol_version=version)
    answer = document(await send(small_endpoint(), request))
    assert answer == {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {"content": [{"type": "text", "text": "42"}], "isError": False},
    }


async def test_a_modern_call_is_answered_as_complete_and_names_the_server() -> None:
    answer = document(await send(small_endpoint(), modern("tools/call", tool("add", a=20, b=22))))
    assert answer == {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {
            "content": [{"type": "text", "text": "42"}],
            "isError": False,
            "resultType": "complete",
            "_meta": SERVER_INFO,
        },
    }


async def test_discover_names_the_modern_version() -> None:
    result = document(await send(small_endpoint(), modern("server/discover")))["result"]
    assert (result["supportedVersions"], "tools" in result["capabilities"]) == ([MODERN], True)


@in_both_eras
async def test_both_eras_list_the_same_tools(era: Any) -> None:
    result = document(await send(small_endpoint(), era("tools/list")))["result"]
    assert [entry["name"] for entry in result["tools"]] == ["add", "echo", "who", "report", "wait", "fail", "region"]


@pytest.mark.parametrize(
    ("status", "code", "request_"),
    [
        pytest.param(200, -32601, handshake("weather/get"), id="handshake: unknown method"),
        pytest.param(200, -32601, handshake("server/discover"), id="handshake: a method of the other era"),
        pytest.param(200, -32602, handshake("tools/call"), id="handshake: no parameters"),
        pytest.param(200, -32602, handshake("tools/call", {"name": 7}), id="handshake: a name that is no text"),
        pytest.param(404, -32601, modern("weather/get"), id="modern: unknown method"),
        pytest.param(404, -32601, modern("initialize"), id="modern: a method of the other era"),
        pytest.param(404, -32601, modern("subscriptions/listen", {"notifications": {}}), id="modern: a stream"),
        pytest.param(400, -32602, modern("tools/call", {"name": "add", "arguments": 7}), id="modern: odd arguments"),
        pytest.param(400, -32602, handshake("tools/list", version=MODERN), id="modern: no envelope"),
        pytest.param(400, -32020, modern("tools/list").but(mcp_method="ping"), id="modern: Mcp-Method differs"),
        pytest.param(400, -32020, modern("tools/list").but(mcp_method=None), id="modern: Mcp-Method is missing"),
        pytest.param(400, -32020, modern("tools/call", tool("add")).but(mcp_name="x"), id="modern: Mcp-Name differs"),
        pytest.param(400, -32020, modern("ping").but(mcp_protocol_version="2027-01-01"), id="modern: versions differ"),
        pytest.param(400, -32020, modern("tools/call", tool("region", region="x")), id="modern: Mcp-Param is missing"),
        pytest.param(
            400,
            -32020,
            modern("tools/call", tool("region", region="x")).but(mcp_param_region="y"),
            id="modern: Mcp-Param differs",
        ),
        pytest.param(400, -32022, modern("tools/list", version="2027-01-01"), id="modern: a later version"),
        pytest.param(
            400,
            -32022,
            post({"jsonrpc": "2.0", "method": "notifications/cancelled"}).but(mcp_protocol_version="2027-01-01"),
            id="modern: a notification of a later version",
        ),
    ],
)
async def test_a_call_the_protocol_forbids_gets_the_code_and_status_of_its_era(
    status: int, code: int, request_: HttpRequest
) -> None:
    reply = await send(small_endpoint(), request_)
    assert (reply.status, document(reply)["error"]["code"]) == (status, code)


async def test_a_refused_version_comes_with_those_that_are_served() -> None:
    error = document(await send(small_endpoint(), modern("tools/list", version="2027-01-01")))["error"]
    assert error["data"] == {"supported": [MODERN], "requested": "2027-01-01"}


async def test_a_header_that_repeats_an_argument_rightly_is_let_through() -> None:
    request = modern("tools/call", tool("region", region="x")).but(mcp_param_region="x")
    assert text_of(document(await send(small_endpoint(), request))["result"]) == "x"


@in_both_eras
async def test_an_unknown_tool_and_bad_arguments_are_tool_errors_that_a_model_can_read(era: Any) -> None:
    for call in (tool("weather"), tool("add", a="x", b=1)):
        result = document(await send(small_endpoint(), era("tools/call", call)))["result"]
        assert result["isError"]


@in_both_eras
async def test_what_a_tool_raises_stays_inside(era: Any) -> None:
    result = document(await send(small_endpoint(), era("tools/call", tool("fail"))))["result"]
    assert (result["isError"], text_of(result)) == (True, "Error executing tool fail")


async def test_twenty_first_calls_at_once_are_all_answered() -> None:
    endpoint = small_endpoint()
    eras = [handshake, modern] * 10
    replies = await asyncio.gather(
        *(send(endpoint, era("tools/call", tool("add", a=number, b=0))) for number, era in enumerate(eras))
    )
    assert [text_of(document(reply)["result"]) for reply in replies] == [str(number) for number in range(20)]


async def test_one_endpoint_serves_event_loops_one_after_the_other() -> None:
    endpoint = small_endpoint()
    for _ in range(2):
        reply = await asyncio.to_thread(asyncio.run, send(endpoint, handshake("ping")))
        assert document(reply)["result"] == {}


async def test_a_tool_learns_caller_deadline_correlation_id_and_headers() -> None:
    start = time.monotonic()
    reply = await send(small_endpoint(request_timeout=20), handshake("tools/call", tool("who")).but(x_shop="seattle"))
    learned = json.loads(text_of(document(reply)["result"]))
    assert 20 <= learned.pop("deadline") - start < 21
    assert learned == {
        "subject": CALLER.principal.subject,
        "correlation_id": reply.headers["x-correlation-id"],
        "shop": "seattle",
    }


async def test_the_door_sees_the_headers_once_per_request() -> None:
    seen: list[Mapping[str, str]] = []

    async def admit(headers: Mapping[str, str]) -> Caller:
        seen.append(headers)
        return CALLER

    request = modern("tools/call", tool("add", a=1, b=1))
    await send(small_endpoint(admit), request)
    assert seen == [request.headers]


@in_both_eras
async def test_progress_arrives_in_one_finished_event_stream(era: Any) -> None:
    call = tool("report") | {"_meta": {"progressToken": "p"}}
    reply = await send(small_endpoint(), era("tools/call", call))
    assert reply.headers["content-type"] == "text/event-stream"
    events = [json.loads(event.partition(b"data: ")[2]) for event in reply.body.split(b"\r\n\r\n") if event]
    assert [event.get("params") for event in events] == [
        {"progressToken": "p", "progress": 1.0, "total": 2.0, "message": "step 1"},
        {"progressToken": "p", "progress": 2.0, "total": 2.0, "message": "step 2"},
        None,
    ]
    assert text_of(events[2]["result"]) == "done"


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(handshake("tools/call", tool("report")), id="no progress token"),
        pytest.param(
            handshake("tools/call", tool("report") | {"_meta": {"progressToken": 1}}).but(accept="application/json"),
            id="a client that reads JSON only",
        ),
    ],
)
async def test_progress_nobody_can_take_leaves_a_plain_answer(request_: HttpRequest) -> None:
    assert text_of(document(await send(small_endpoint(), request_))["result"]) == "done"


async def test_a_flood_of_notifications_is_cut() -> None:
    server = small_server()

    @server.tool(structured_output=False)
    async def flood(context: Context) -> str:  # pyright: ignore[reportUnusedFunction]
        for step in range(5_000):
            await context.report_progress(step)
        return "done"

    call = tool("flood") | {"_meta": {"progressToken": 1}}
    reply = await send(small_endpoint(server=server), handshake("tools/call", call))
    assert reply.body.count(b"\r\n\r\n") == 1_001
