"""Malformed requests over a raw socket: never a 5xx, never a hang, never a trace in a body."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_SECONDS = 10

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
_methods = st.sampled_from(["tools/call", "tools/list", "initialize", "ping", "server/discover", "x", ""])
_messages = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.sampled_from(["2.0", "1.0", 2]) | _json,
        "id": st.integers() | st.text(max_size=8) | _json,
        "method": _methods | _json,
        "params": st.fixed_dictionaries({}, optional={"name": _json, "arguments": _json, "_meta": _json}) | _json,
        "result": _json,
        "error": _json,
    },
)
_bodies = st.one_of(
    st.binary(max_size=200),
    _messages.map(lambda message: json.dumps(message).encode()),
    st.lists(_messages, max_size=3).map(lambda messages: json.dumps(messages).encode()),
    _messages.map(lambda message: json.dumps(message).encode()[:-3]),
    st.sampled_from(
        [b"", b"{", b"\xff\xfe", b'{"a":' * 500, b"[" * 5_000, b'{"id":1e999}', b'{"id":' + b"9" * 5_000 + b"}"]
    ),
)
_values = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40).map(
    lambda text: text.encode("latin-1")
)
_headers = st.dictionaries(
    st.sampled_from(
        [
            b"Accept",
            b"Content-Type",
            b"Origin",
            b"MCP-Protocol-Version",
            b"Mcp-Method",
            b"Mcp-Name",
            b"x-rls-user-id",
            b"Last-Event-ID",
            b"Mcp-Session-Id",
            b"Content-Encoding",
            b"Cookie",
        ]
    ),
    _values | st.sampled_from([b"application/json", b"2026-07-28", b"2025-11-25", b"tools/call", b"null", b"*/*", b""]),
    max_size=5,
)


def _send(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
        connection.settimeout(_SECONDS)
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    return received


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from(["POST"] * 8 + ["GET", "DELETE"]), headers=_headers, body=_bodies, signed=st.booleans())
def test_no_malformed_request_gets_a_5xx_or_a_trace_or_no_answer(
    method: str, headers: dict[bytes, bytes], body: bytes, signed: bool, server_url: str, token_for: Callable[..., str]
) -> None:
    port = urlsplit(server_url).port
    assert port is not None
    lines = [f"{method} /mcp HTTP/1.1".encode(), b"Host: 127.0.0.1", b"Connection: close"]
    lines += [b"Content-Length: " + str(len(body)).encode()]
    if b"Content-Type" not in headers:
        lines += [b"Content-Type: application/json"]
    if signed:
        lines += [b"Authorization: Bearer " + token_for("store_manager", stores=["seattle"]).encode()]
    lines += [name + b": " + value for name, value in headers.items()]
    answer = _send(port, b"\r\n".join(lines) + b"\r\n\r\n" + body)
    head, _, content = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert 200 <= status < 500, answer
    assert b"Traceback" not in content
    assert b".py" not in content


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(min_size=1, max_size=300))
def test_noise_in_place_of_http_does_not_disturb_the_next_request(noise: bytes, server_url: str) -> None:
    port = urlsplit(server_url).port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
        connection.sendall(noise)
    answer = _send(port, b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
