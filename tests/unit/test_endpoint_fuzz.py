"""Nothing that can be sent makes the endpoint fail, hang, or show its insides: 800 odd bodies, headers and tokens.

`send` checks every reply for traces and for the headers that every reply carries, and gives up after ten seconds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sample_directory import SampleDirectory
from tests.small_endpoint import HttpRequest, handshake, modern, post, send, small_endpoint, tool
from zava.local.token_issuer import LocalIssuer
from zava.platform.jwks import JwksCache
from zava.platform.token_verifier import JwtVerifier, TrustedIssuer
from zava.protocol.authentication import Authentication
from zava.protocol.endpoint import McpEndpoint
from zava.services.access import AccessRules

ENDPOINT = small_endpoint()
GOOD = [
    handshake("tools/call", tool("add", a=1, b=2)),
    handshake("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x"}}),
    modern("tools/call", tool("echo", value={"a": [1, None]})),
    modern("server/discover"),
]
METHODS = """tools/call tools/list initialize ping server/discover resources/read prompts/get completion/complete
    logging/setLevel notifications/initialized subscriptions/listen""".split()
MEMBERS = """jsonrpc id method params result error name arguments uri value _meta progressToken cursor
    io.modelcontextprotocol/protocolVersion io.modelcontextprotocol/clientInfo
    io.modelcontextprotocol/clientCapabilities""".split()
HEADERS = """origin content-type accept mcp-protocol-version mcp-method mcp-name mcp-param-region authorization host
    x-rls-user-id mcp-session-id last-event-id content-encoding""".split()
VALUES = ["", "null", "*/*", "application/json", ";q=0", ",", "=?base64?4pyT?=", "=?base64?!?=", "2026-07-28", "\t"]

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(METHODS) | st.text() | st.just("2.0")
)
names = st.sampled_from(MEMBERS) | st.text()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS) | st.text(), inner, max_size=6)
    ),
    max_leaves=12,
)
# HTTP hands header values on as Latin-1.
header_values = st.sampled_from(VALUES) | st.text(st.characters(max_codepoint=255), max_size=60)
headers = st.dictionaries(st.sampled_from(HEADERS), header_values, max_size=6)


def fuzz(examples: int) -> Any:
    return settings(max_examples=examples, deadline=None)


async def survives(endpoint: McpEndpoint, request: HttpRequest) -> int:
    reply = await send(endpoint, request)
    assert reply.status < 500
    assert b"internal error" not in reply.body
    return reply.status


@fuzz(150)
@given(st.binary(max_size=400), st.sampled_from(["", "2025-11-25", "2026-07-28"]))
async def test_any_bytes(body: bytes, version: str) -> None:
    assert await survives(ENDPOINT, post(body, **{"mcp-protocol-version": version})) in {200, 202, 400}


@fuzz(200)
@given(st.data())
async def test_a_good_body_with_some_bytes_replaced(data: st.DataObject) -> None:
    request = data.draw(st.sampled_from(GOOD))
    start = data.draw(st.integers(0, len(request.body)))
    end = data.draw(st.integers(start, min(len(request.body), start + 8)))
    changed = request.body[:start] + data.draw(st.binary(max_size=8)) + request.body[end:]
    await survives(ENDPOINT, request.but(body=changed))


@fuzz(200)
@given(st.sampled_from(GOOD), st.fixed_dictionaries({}, optional=dict.fromkeys(MEMBERS, values)), st.booleans())
async def test_a_good_message_with_members_of_any_kind(request: HttpRequest, members: Any, in_params: bool) -> None:
    message = json.loads(request.body)
    (message.get("params", message) if in_params else message).update(members)
    await survives(ENDPOINT, request.but(body=json.dumps(message).encode()))


@fuzz(150)
@given(st.sampled_from(GOOD), headers, st.sampled_from(["POST", "GET", "DELETE", "TRACE", "", "\x00"]))
async def test_any_headers_and_method(request: HttpRequest, changed: dict[str, str], method: str) -> None:
    await survives(ENDPOINT, HttpRequest(method, request.headers | changed, request.body))


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> LocalIssuer:
    return LocalIssuer(Path(tmp_path_factory.mktemp("issuer")))


@fuzz(100)
@given(data=st.data())
async def test_any_credentials(issuer: LocalIssuer, data: st.DataObject) -> None:
    verifier = JwtVerifier(TrustedIssuer("zava-auth", "mcp-server", issuer.jwks_uri), JwksCache(issuer.jwks_uri))
    endpoint = small_endpoint(Authentication(verifier, AccessRules(SampleDirectory())).admit)
    good = f"Bearer {issuer.mint('super_admin')}"
    start = data.draw(st.integers(0, len(good)))
    broken = good[:start] + data.draw(header_values) + good[start + data.draw(st.integers(0, 3)) :]
    authorization = st.just(good) | st.just(broken) | header_values
    choice = st.fixed_dictionaries({}, optional={"authorization": authorization, "x-rls-user-id": header_values})
    request = HttpRequest("POST", GOOD[0].headers | data.draw(choice), GOOD[0].body)
    assert await survives(endpoint, request) in {200, 400, 401, 403}
