"""The header a token comes in, the challenge a refusal carries, and the metadata document (RFC 6750, RFC 9728)."""

from __future__ import annotations

import httpx2
import pytest
from mcp.client.auth.utils import (
    build_protected_resource_metadata_discovery_urls,
    extract_field_from_www_auth,
    extract_resource_metadata_from_www_auth,
    extract_scope_from_www_auth,
)
from mcp.shared.auth import ProtectedResourceMetadata

from tests.loopback_issuer import CLIENT, TENANT
from tests.minimal_settings import minimal_settings
from zava.errors import (
    AuthenticationError,
    AuthorizationError,
    InsufficientScopeError,
    MCPError,
    ServiceUnavailableError,
    ValidationError,
)
from zava.protocol.authentication import ProtectedResource, bearer_token

METADATA_URL = "https://zava.example/.well-known/oauth-protected-resource/mcp"
RESOURCE = ProtectedResource("https://issuer.example", ("products.read", "sales.read"), "https://zava.example")
LAPTOP = ProtectedResource("zava-auth", ("products.read", "sales.read"), "")


@pytest.mark.parametrize("value", ["Bearer abc", "bearer abc", "BEARER abc", "Bearer   abc"])
def test_the_scheme_may_be_in_any_case_and_followed_by_several_spaces(value: str) -> None:
    assert bearer_token({"authorization": value}) == "abc"


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (None, False),
        ("", False),
        ("Bearer", False),
        ("Bearer ", False),
        ("Basic abc", False),
        ("Bearerabc", False),
        ("Bearer\tabc", False),
        ("Basic abc, Bearer abc", False),
        ("Bearer abc, Bearer def", True),
        ("Bearer abc,def", True),
        ("Bearer abc def", True),
        ("Bearer abc ", True),
        ("Bearer abc\n", True),
        ('Bearer "abc"', True),
        ("Bearer =", True),
        ("Bearer t\u00f6ken", True),
    ],
)
def test_anything_but_one_bearer_token_is_refused(value: str | None, sent: bool) -> None:
    with pytest.raises(AuthenticationError) as refusal:
        bearer_token({} if value is None else {"authorization": value})
    assert refusal.value.token_sent is sent


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(
            AuthenticationError("A bearer token is needed", token_sent=False),
            f'Bearer scope="products.read sales.read", resource_metadata="{METADATA_URL}"',
            id="no token: no error code",
        ),
        pytest.param(
            AuthenticationError("The token has expired", token_sent=True),
            'Bearer error="invalid_token", error_description="The token has expired", '
            f'scope="products.read sales.read", resource_metadata="{METADATA_URL}"',
            id="a token that does not verify",
        ),
        pytest.param(
            InsufficientScopeError("No permission"),
            'Bearer error="insufficient_scope", error_description="No permission", '
            f'scope="products.read sales.read", resource_metadata="{METADATA_URL}"',
            id="a token that reaches too little",
        ),
        pytest.param(AuthorizationError("Not your store"), None, id="signing in again would not help"),
        pytest.param(ServiceUnavailableError("Away"), None, id="away"),
        pytest.param(ValidationError("Malformed"), None, id="malformed header"),
    ],
)
def test_the_challenge_of_a_refusal(error: MCPError, expected: str | None) -> None:
    assert RESOURCE.www_authenticate(error, {"host": "127.0.0.1:7071"}) == expected


def test_a_message_cannot_break_out_of_its_quotes() -> None:
    error = AuthenticationError('a"b\\c\r\nSet-Cookie: d\u00e9', token_sent=True)
    assert 'error_description="abcSet-Cookie: d"' in (RESOURCE.www_authenticate(error, {}) or "")


def test_the_official_client_understands_the_challenge() -> None:
    challenge = RESOURCE.www_authenticate(InsufficientScopeError("No permission"), {}) or ""
    response = httpx2.Response(403, headers={"www-authenticate": challenge})
    assert extract_field_from_www_auth(response, "error") == "insufficient_scope"
    assert extract_scope_from_www_auth(response) == "products.read sales.read"
    assert extract_resource_metadata_from_www_auth(response) == METADATA_URL


def test_the_metadata_document_names_issuer_scopes_and_resource() -> None:
    document = RESOURCE.metadata({})
    assert document == {
        "resource": "https://zava.example/mcp",
        "authorization_servers": ["https://issuer.example"],
        "scopes_supported": ["products.read", "sales.read"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Zava retail sales",
    }
    assert str(ProtectedResourceMetadata.model_validate(document).resource) == "https://zava.example/mcp"


def test_the_document_is_where_the_official_client_looks() -> None:
    assert METADATA_URL in build_protected_resource_metadata_discovery_urls(None, "https://zava.example/mcp")


def test_a_laptops_issuer_without_an_address_is_left_out() -> None:
    assert LAPTOP.metadata({"host": "127.0.0.1:7071"}) == {
        "resource": "http://127.0.0.1:7071/mcp",
        "scopes_supported": ["products.read", "sales.read"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Zava retail sales",
    }


@pytest.mark.parametrize("host", ["127.0.0.1:7071", "localhost:7071", "localhost", "[::1]:7071", "LOCALHOST"])
def test_a_loopback_host_is_believed(host: str) -> None:
    challenge = LAPTOP.www_authenticate(AuthenticationError("x", token_sent=False), {"host": host})
    assert challenge == (
        f'Bearer scope="products.read sales.read", resource_metadata="http://{host}/.well-known/oauth-protected-resource/mcp"'
    )


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1:7071/x",
        '127.0.0.1"',
        "localhost:7071, evil.example",
        "127.0.0.1:7071\n",
    ],
)
def test_any_other_host_is_not_believed(host: str | None) -> None:
    headers = {} if host is None else {"host": host}
    challenge = LAPTOP.www_authenticate(AuthenticationError("x", token_sent=False), headers)
    assert challenge == 'Bearer scope="products.read sales.read"'
    with pytest.raises(ValidationError, match="public address"):
        LAPTOP.metadata(headers)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, ProtectedResource("zava-auth", ("products.read", "sales.read"), ""), id="a laptop"),
        pytest.param(
            {"website_hostname": "localhost:7071"},
            ProtectedResource("zava-auth", ("products.read", "sales.read"), ""),
            id="Core Tools",
        ),
        pytest.param(
            {
                "auth_entra_tenant_id": TENANT,
                "auth_entra_client_id": CLIENT,
                "website_site_name": "zava",
                "website_hostname": "zava.azurewebsites.net",
            },
            ProtectedResource(
                f"https://login.microsoftonline.com/{TENANT}/v2.0",
                (f"api://{CLIENT}/mcp.access",),
                "https://zava.azurewebsites.net",
            ),
            id="Entra ID on Azure",
        ),
        pytest.param(
            {
                "auth_issuer": "https://issuer.example",
                "auth_jwks_url": "https://issuer.example/jwks",
                "auth_scopes": "https://zava.example/mcp/mcp.access  openid",
                "public_base_url": "https://zava.example",
                "website_site_name": "zava",
                "website_hostname": "zava.azurewebsites.net",
            },
            ProtectedResource(
                "https://issuer.example", ("https://zava.example/mcp/mcp.access", "openid"), "https://zava.example"
            ),
            id="another issuer behind an own domain",
        ),
    ],
)
def test_what_clients_are_told_follows_the_settings(changes: dict[str, str], expected: ProtectedResource) -> None:
    assert ProtectedResource.of(minimal_settings(**changes)) == expected
