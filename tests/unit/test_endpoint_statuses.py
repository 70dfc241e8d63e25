"""The HTTP status of every request that cannot become an MCP call; of two faults, which one is named."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.small_endpoint import (
    MAX_BODY,
    MODERN,
    ORIGIN,
    HttpRequest,
    document,
    handshake,
    modern,
    post,
    send,
    small_endpoint,
    tool,
)
from zava.errors import (
    AuthenticationError,
    AuthorizationError,
    BusyError,
    DatabaseError,
    DatabaseUnavailableError,
    InsufficientScopeError,
    IsolationError,
    MCPError,
    ServiceUnavailableError,
    ValidationError,
)
from zava.protocol.request import Caller

GOOD = handshake("tools/call", tool("add", a=1, b=2))
NO_JSON = GOOD.but(body=b"{")
MODERN_ANSWER = post({"jsonrpc": "2.0", "id": 1, "result": {}}).but(mcp_protocol_version=MODERN)
MODERN_NOTIFICATION = post({"jsonrpc": "2.0", "method": "notifications/cancelled"}).but(mcp_protocol_version=MODERN)


def padded(size: int) -> bytes:
    return GOOD.body + b" " * (size - len(GOOD.body))


ACCEPTED = [
    ("as it should be", GOOD),
    ("the listed origin", GOOD.but(origin=ORIGIN)),
    ("the listed origin in upper case", GOOD.but(origin=ORIGIN.upper())),
    ("a body of the largest size", GOOD.but(body=padded(MAX_BODY))),
    ("a charset", GOOD.but(content_type="application/json; charset=utf-8")),
    ("a content type in upper case", GOOD.but(content_type="Application/JSON")),
    ("no Accept", GOOD.but(accept=None)),
    ("any Accept", GOOD.but(accept="*/*")),
    ("any application type", GOOD.but(accept="text/html, application/*;q=0.1")),
    ("JSON only", GOOD.but(accept="application/json")),
    ("JSON preferred a little less", GOOD.but(accept="text/event-stream, APPLICATION/JSON; q=0.001")),
    ("blanks around the body", GOOD.but(body=b"\r\n\t " + GOOD.body + b"\n")),
]

REFUSED = [
    (403, "a foreign origin", GOOD.but(origin="https://evil.example")),
    (403, "the origin null", GOOD.but(origin="null")),
    (403, "an empty origin", GOOD.but(origin="")),
    (403, "the listed host over http", GOOD.but(origin=ORIGIN.replace("https", "http"))),
    (403, "the listed host on another port", GOOD.but(origin="https://shop.example")),
    (403, "a host that begins like the listed one", GOOD.but(origin=ORIGIN + ".evil.example")),
    (403, "a host that ends like the listed one", GOOD.but(origin="https://evil-shop.example:8443")),
    (403, "two origins, folded", GOOD.but(origin=f"{ORIGIN}, {ORIGIN}")),
    (403, "a star", GOOD.but(origin="*")),
    (405, "GET", GOOD.but(method="GET")),
    (405, "DELETE", GOOD.but(method="DELETE")),
    (405, "PUT", GOOD.but(method="PUT")),
    (405, "PATCH", GOOD.but(method="PATCH")),
    (405, "HEAD", GOOD.but(method="HEAD")),
    (405, "OPTIONS", GOOD.but(method="OPTIONS")),
    (413, "one byte too much", GOOD.but(body=padded(MAX_BODY + 1))),
    (415, "no content type", GOOD.but(content_type=None)),
    (415, "an empty content type", GOOD.but(content_type="")),
    (415, "text", GOOD.but(content_type="text/plain")),
    (415, "a form, which a page may send unasked", GOOD.but(content_type="application/x-www-form-urlencoded")),
    (415, "JSON of another kind", GOOD.but(content_type="application/json-patch+json")),
    (415, "JSON twice, folded", GOOD.but(content_type="application/json, application/json")),
    (406, "HTML only", GOOD.but(accept="text/html")),
    (406, "an event stream only", GOOD.but(accept="text/event-stream")),
    (406, "everything but JSON", GOOD.but(accept="application/json;q=0, */*")),
    (406, "nothing at all", GOOD.but(accept="*/*;q=0.000")),
    (406, "an empty Accept", GOOD.but(accept="")),
    (400, "no body", GOOD.but(body=b"")),
    (400, "half a document", NO_JSON),
    (400, "two documents", GOOD.but(body=GOOD.body * 2)),
    (400, "a batch", post([{"jsonrpc": "2.0", "id": 1, "method": "ping"}])),
    (400, "an empty batch", post([])),
    (400, "a string", post("tools/list")),
    (400, "null", post(None)),
    (400, "no JSON-RPC version", post({"id": 1, "method": "ping"})),
    (400, "another JSON-RPC version", post({"jsonrpc": "1.0", "id": 1, "method": "ping"})),
    (400, "no method", post({"jsonrpc": "2.0", "id": 1})),
    (400, "a method that is a number", post({"jsonrpc": "2.0", "id": 1, "method": 1})),
    (400, "parameters by position", post({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []})),
    (400, "an id that is null", post({"jsonrpc": "2.0", "id": None, "method": "ping"})),
    (400, "an id that is true", post({"jsonrpc": "2.0", "id": True, "method": "ping"})),
    (400, "an id that is a fraction", post({"jsonrpc": "2.0", "id": 1.5, "method": "ping"})),
    (400, "an id that is a list", post({"jsonrpc": "2.0", "id": [], "method": "ping"})),
    (400, "a posted answer since 2026-07-28", MODERN_ANSWER),
    (400, "an empty version header", GOOD.but(mcp_protocol_version="")),
    (400, "the version header twice, folded", GOOD.but(mcp_protocol_version="2025-11-25, 2025-11-25")),
    (400, "a version nobody has heard of", modern("tools/list", version="1900-01-01")),
]

# What is JSON to most parsers, or nearly so. Each stands for bytes that two readers could take for different things.
NOT_QUITE_JSON = [
    ("a key twice", b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}'),
    ("a key twice, further down", b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":[{"a":1,"a":1}]}}'),
    ("a key twice, once escaped", b'{"jsonrpc":"2.0","id":1,"method":"ping","\\u006dethod":"tools/list"}'),
    ("NaN", b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":NaN}}'),
    ("Infinity", b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":Infinity}}'),
    ("minus Infinity", b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":-Infinity}}'),
    ("a float beyond floats", b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":1e999}}'),
    ("an integer of 5 000 digits", b'{"jsonrpc":"2.0","id":' + b"1" * 5_000 + b',"method":"ping"}'),
    ("201 lists", b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":' + b"[" * 201 + b"]" * 201 + b"}}"),
    ("201 objects", b'{"a":' * 201 + b"1" + b"}" * 201),
    ("30 000 open lists", b"[" * 30_000),
    ("a lone high surrogate", b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}'),
    ("a lone low surrogate", b'{"jsonrpc":"2.0","id":"\\udc00","method":"ping"}'),
    ("surrogates the wrong way round", b'{"jsonrpc":"2.0","id":"\\udc00\\ud800","method":"ping"}'),
    ("a surrogate as UTF-8", b'{"jsonrpc":"2.0","id":"\xed\xa0\x80","method":"ping"}'),
    ("Latin-1", b'{"jsonrpc":"2.0","id":"\xe9","method":"ping"}'),
    ("an overlong slash", b'{"jsonrpc":"2.0","id":"\xc0\xaf","method":"ping"}'),
    ("a byte order mark", b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}'),
    ("UTF-16", '{"jsonrpc":"2.0","id":1,"method":"ping"}'.encode("utf-16")),
    ("UTF-32 without a mark", '{"jsonrpc":"2.0","id":1,"method":"ping"}'.encode("utf-32-le")),
    ("null bytes", b"\x00" * 16),
    ("a null byte in a string", b'{"jsonrpc":"2.0","id":"a\x00b","method":"ping"}'),
    ("a null byte after the end", b'{"jsonrpc":"2.0","id":1,"method":"ping"}\x00'),
    ("an escaped null character", b'{"jsonrpc":"2.0","id":"a\\u0000b","method":"ping"}'),
    ("an escaped null character after a backslash", b'{"jsonrpc":"2.0","id":"\\\\\\u0000","method":"ping"}'),
    ("a line break in a string", b'{"jsonrpc":"2.0","id":"a\nb","method":"ping"}'),
    ("single quotes", b"{'jsonrpc':'2.0','id':1,'method':'ping'}"),
    ("a comma too much", b'{"jsonrpc":"2.0","id":1,"method":"ping",}'),
    ("a comment", b'{"jsonrpc":"2.0","id":1,"method":"ping"} // hello'),
    ("a leading zero", b'{"jsonrpc":"2.0","id":01,"method":"ping"}'),
    ("a form feed between tokens", b'{"jsonrpc":"2.0",\x0c"id":1,"method":"ping"}'),
]

JSON_ALL_THE_SAME = [
    ("an id of 4 000 digits", b'{"jsonrpc":"2.0","id":' + b"1" * 4_000 + b',"method":"ping"}'),
    ("an empty id", b'{"jsonrpc":"2.0","id":"","method":"ping"}'),
    ("190 lists", b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":' + b"[" * 190 + b"]" * 190 + b"}}"),
    ("many shallow lists", b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":[' + b"[],{}," * 500 + b"[]]}}"),
    ("a pair of surrogates", b'{"jsonrpc":"2.0","id":"\\ud83d\\ude00","method":"ping"}'),
    ("a backslash before u0000", b'{"jsonrpc":"2.0","id":"\\\\u0000","method":"ping"}'),
    ("the same key in two objects", b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":{"a":1},"b":[{"a":1}]}}'),
    ("letters beyond ASCII", '{"jsonrpc":"2.0","id":"Grüße","method":"ping"}'.encode()),
]

NO_ANSWER = [
    ("initialized", post({"jsonrpc": "2.0", "method": "notifications/initialized"})),
    ("cancelled", post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})),
    ("a notification nobody knows", post({"jsonrpc": "2.0", "method": "notifications/weather"})),
    ("one of 2026-07-28", MODERN_NOTIFICATION),
    ("an answer", post({"jsonrpc": "2.0", "id": 7, "result": {}})),
    ("an error", post({"jsonrpc": "2.0", "id": 7, "error": {"code": -1, "message": "no"}})),
]

TWO_FAULTS = [
    (403, "origin before method", GOOD.but(origin="null", method="GET")),
    (405, "method before size", GOOD.but(method="GET", body=padded(MAX_BODY + 1))),
    (413, "size before content type", GOOD.but(body=padded(MAX_BODY + 1), content_type="text/plain")),
    (415, "content type before accept", GOOD.but(content_type="text/plain", accept="text/html")),
    (406, "accept before caller", GOOD.but(accept="text/html")),
    (401, "caller before JSON", NO_JSON),
    (401, "caller before notification", NO_ANSWER[0][1]),
]

ADMISSION = [
    (400, {}, ValidationError("odd header", "Send a UUID.")),
    (401, {"www-authenticate": "Bearer"}, AuthenticationError("no token", token_sent=False)),
    (401, {"www-authenticate": 'Bearer error="invalid_token"'}, AuthenticationError("expired", token_sent=True)),
    (403, {}, AuthorizationError("not your store", "Leave it out.")),
    (403, {}, InsufficientScopeError("too little")),
    (429, {"retry-after": "1"}, BusyError("one at a time")),
    (503, {"retry-after": "5"}, ServiceUnavailableError("away")),
    (503, {"retry-after": "3"}, ServiceUnavailableError("no keys", "Wait.", 3)),
    (503, {"retry-after": "2"}, DatabaseUnavailableError("no database")),
    (503, {"retry-after": "5"}, IsolationError("not confirmed")),
    (500, {}, DatabaseError("a table is missing")),
]


def named(cases: list[tuple[str, HttpRequest]] | list[tuple[str, bytes]]) -> list[object]:
    return [pytest.param(value, id=name) for name, value in cases]


def with_status(cases: list[tuple[int, str, HttpRequest]]) -> list[object]:
    return [pytest.param(status, request, id=f"{status} {name}") for status, name, request in cases]


@pytest.mark.parametrize("request_", named(ACCEPTED))
async def test_a_proper_request_is_answered(request_: HttpRequest) -> None:
    reply = await send(small_endpoint(), request_)
    assert (reply.status, document(reply)["result"]["content"][0]["text"]) == (200, "3")


@pytest.mark.parametrize(("status", "request_"), with_status(REFUSED))
async def test_a_request_that_cannot_be_a_call_gets_its_status_and_a_json_rpc_error(
    status: int, request_: HttpRequest
) -> None:
    reply = await send(small_endpoint(), request_)
    answer = document(reply)
    assert (reply.status, reply.headers.get("allow")) == (status, "POST" if status == 405 else None)
    assert answer.keys() == {"jsonrpc", "id", "error"}
    assert answer["error"].keys() >= {"code", "message"}


@pytest.mark.parametrize("body", named(NOT_QUITE_JSON))
async def test_what_is_not_quite_json_is_a_parse_error(body: bytes) -> None:
    reply = await send(small_endpoint(), post(body))
    assert (reply.status, document(reply)) == (
        400,
        {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "The body is not valid JSON"}},
    )


@pytest.mark.parametrize("body", named(JSON_ALL_THE_SAME))
async def test_unusual_json_is_not_refused(body: bytes) -> None:
    reply = await send(small_endpoint(), post(body))
    assert (reply.status, document(reply)["result"]) == (200, {})


@pytest.mark.parametrize("request_", named(NO_ANSWER))
async def test_what_wants_no_answer_gets_an_empty_202(request_: HttpRequest) -> None:
    reply = await send(small_endpoint(), request_)
    assert (reply.status, reply.body) == (202, b"")


@pytest.mark.parametrize(("status", "request_"), with_status(TWO_FAULTS))
async def test_of_two_faults_the_cheaper_check_speaks(status: int, request_: HttpRequest) -> None:
    async def nobody(_headers: Mapping[str, str]) -> Caller:
        raise AuthenticationError("A bearer token is needed", token_sent=False)

    assert (await send(small_endpoint(nobody), request_)).status == status


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [pytest.param(*case, id=f"{case[0]} {type(case[2]).__name__} {case[2].message}") for case in ADMISSION],
)
async def test_a_caller_who_is_not_admitted_learns_code_message_and_hint(
    status: int, headers: dict[str, str], error: MCPError
) -> None:
    async def refuse(_headers: Mapping[str, str]) -> Caller:
        raise error

    reply = await send(small_endpoint(refuse), GOOD)
    always = {"cache-control", "content-type", "x-content-type-options", "x-correlation-id"}
    assert (reply.status, document(reply)) == (status, {"error": error.as_dict()})
    assert {name: value for name, value in reply.headers.items() if name not in always} == headers


async def test_an_unknown_failure_at_the_door_is_logged_and_shows_only_a_correlation_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(_headers: Mapping[str, str]) -> Caller:
        raise RuntimeError("secret detail")

    reply = await send(small_endpoint(broken), GOOD)
    correlation_id = reply.headers["x-correlation-id"]
    assert (reply.status, document(reply)) == (
        500,
        {
            "error": {
                "code": "INTERNAL_ERROR",
                "message": "internal error",
                "hint": f"Try again; if it stays, report the correlation id {correlation_id}.",
                "correlation_id": correlation_id,
            }
        },
    )
    (record,) = caplog.records
    assert correlation_id in record.getMessage()
    assert "secret detail" in str(record.exc_info)


async def test_a_failure_of_ours_is_logged_under_the_callers_id_with_the_kinds_of_its_causes_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(_headers: Mapping[str, str]) -> Caller:
        try:
            raise ConnectionRefusedError("secret detail")
        except OSError as problem:
            raise DatabaseUnavailableError("The database cannot be reached.") from problem

    reply = await send(small_endpoint(broken), GOOD)
    assert [record.getMessage() for record in caplog.records] == [
        f"request {reply.headers['x-correlation-id']} failed with DATABASE_UNAVAILABLE (ConnectionRefusedError)"
    ]
