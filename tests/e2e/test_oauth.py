"""The official SDK client finds its own way to a token: challenge, metadata, registration, code with PKCE, call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.authorization_server import AuthorizationServer
from tests.conftest import Database
from tests.e2e.conftest import Server
from zava.local.stores import STORES

_REDIRECT = "http://127.0.0.1:33418/callback"
_SQL = {"postgresql_query": "SELECT count(*) AS n FROM stores"}


@pytest.fixture
def issuer() -> Iterator[AuthorizationServer]:
    with AuthorizationServer().running() as running:
        yield running


@pytest.fixture
def protected(issuer: AuthorizationServer, database: Database) -> Iterator[Server]:
    """The app, trusting that issuer."""
    server = Server(database.environment | issuer.environment)
    yield server
    server.stop()


class Memory(TokenStorage):
    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Person:
    """Follows the client's link to the sign-in page, and is sent back with a code."""

    def __init__(self) -> None:
        self._back: dict[str, str] = {}
        self.signed_in = 0

    async def open(self, url: str) -> None:
        self.signed_in += 1
        async with httpx2.AsyncClient() as browser:
            answer = await browser.get(url)
        self._back = dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    async def come_back(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(code=self._back["code"], state=self._back["state"], iss=self._back["iss"])


def provider(server: Server, person: Person, storage: Memory) -> OAuthClientProvider:
    metadata = OAuthClientMetadata(
        client_name="tests", redirect_uris=[AnyUrl(_REDIRECT)], token_endpoint_auth_method="none"
    )
    return OAuthClientProvider(server.url, metadata, storage, person.open, person.come_back)


@asynccontextmanager
async def signing_in(server: Server, person: Person, storage: Memory) -> AsyncGenerator[Client]:
    async with (
        httpx2.AsyncClient(auth=provider(server, person, storage), timeout=30) as http,
        Client(streamable_http_client(server.url, http_client=http)) as client,
    ):
        yield client


async def test_the_client_discovers_the_issuer_signs_in_and_calls(
    issuer: AuthorizationServer, protected: Server
) -> None:
    person, storage = Person(), Memory()
    async with signing_in(protected, person, storage) as client:
        result = await client.call_tool("execute_sales_query", _SQL)
    assert result.structured_content is not None
    assert result.structured_content["rows"] == [[len(STORES)]]
    assert person.signed_in == 1
    assert [path for path, _ in issuer.asked] == [
        "/.well-known/oauth-authorization-server",
        "/register",
        "/authorize",
        "/token",
    ]
    asked = issuer.asked[2][1]
    assert (asked["resource"], asked["scope"]) == (protected.url, "products.read sales.read")
    assert asked["code_challenge_method"] == "S256"


async def test_a_token_that_reaches_too_little_makes_the_client_ask_for_more(
    issuer: AuthorizationServer, protected: Server
) -> None:
    person, storage = Person(), Memory()
    issuer.granted = "products.read"
    async with signing_in(protected, person, storage) as client:
        assert "execute_sales_query" not in {tool.name for tool in (await client.list_tools()).tools}
        issuer.granted = None
        result = await client.call_tool("execute_sales_query", _SQL)
    assert (result.is_error, person.signed_in) == (False, 2)


async def test_a_person_without_a_role_signs_in_once_and_is_refused(
    issuer: AuthorizationServer, protected: Server
) -> None:
    """A second sign-in would bring the same role, so the refusal must not ask for one."""
    issuer.claims = {"roles": []}
    person = Person()
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    async with httpx2.AsyncClient(auth=provider(protected, person, Memory()), timeout=30) as http:
        answer = await http.post(protected.url, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AUTHORIZATION_ERROR")
    assert ("www-authenticate" in answer.headers, person.signed_in) == (False, 1)
