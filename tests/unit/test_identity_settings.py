"""Settings about identity: what they derive, and which unsafe ones stop the start."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.loopback_issuer import CLIENT, TENANT
from tests.minimal_settings import minimal_settings
from zava.platform.token_verifier import TrustedIssuer

ENTRA = {"auth_entra_tenant_id": TENANT, "auth_entra_client_id": CLIENT}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, TrustedIssuer("zava-auth", "mcp-server", ""), id="nothing set: no keys, so 503"),
        pytest.param(
            {"auth_issuer": "https://i.example", "auth_audience": "a", "auth_jwks_url": "https://i.example/jwks"},
            TrustedIssuer("https://i.example", "a", "https://i.example/jwks"),
            id="a generic issuer",
        ),
        pytest.param(
            {"auth_entra_tenant_id": TENANT.upper(), "auth_entra_client_id": CLIENT.upper()},
            TrustedIssuer(
                f"https://login.microsoftonline.com/{TENANT}/v2.0",
                CLIENT,
                f"https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys",
                TENANT,
            ),
            id="Entra ID",
        ),
        pytest.param(
            ENTRA | {"auth_jwks_url": "http://127.0.0.1:9/keys"},
            TrustedIssuer(
                f"https://login.microsoftonline.com/{TENANT}/v2.0", CLIENT, "http://127.0.0.1:9/keys", TENANT
            ),
            id="Entra ID with a stand-in for its keys",
        ),
    ],
)
def test_the_trusted_issuer_follows_the_settings(changes: dict[str, str], expected: TrustedIssuer) -> None:
    assert TrustedIssuer.of(minimal_settings(**changes)) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://i.example/jwks",
        "file:///a%20b/jwks.json",
        "http://127.0.0.1:9/x",
        "http://localhost/x",
        "http://[::1]:9/x",
    ],
)
def test_a_key_address_that_is_safe_on_a_laptop(url: str) -> None:
    assert minimal_settings(auth_jwks_url=url).auth_jwks_url == url


AZURE_VARIANTS = [{"website_instance_id": "abc"}, {"website_site_name": "zava"}]


@pytest.mark.parametrize("azure", AZURE_VARIANTS, ids=["an instance id", "a site name, as on Flex Consumption"])
@pytest.mark.parametrize(
    "url", ["file:///jwks.json", "http://127.0.0.1:9/x", "http://localhost/x", "https://localhost/x"]
)
def test_on_azure_keys_from_this_machine_are_refused(azure: dict[str, str], url: str) -> None:
    with pytest.raises(ValidationError, match="AUTH_JWKS_URL must not be a file or loopback address on Azure"):
        minimal_settings(auth_jwks_url=url, **azure)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param(
            {"auth_jwks_url": "http://i.example/jwks"}, "AUTH_JWKS_URL must start with https://", id="keys over http"
        ),
        pytest.param(
            {"auth_jwks_url": "http://127.0.0.1:9@i.example/"}, "AUTH_JWKS_URL must start", id="loopback as a user name"
        ),
        pytest.param(
            {"auth_jwks_url": "http://127.0.0.1.i.example/"}, "AUTH_JWKS_URL must start", id="loopback as a prefix"
        ),
        pytest.param({"auth_jwks_url": "ftp://127.0.0.1/x"}, "AUTH_JWKS_URL must start", id="another scheme"),
        pytest.param({"auth_jwks_url": "jwks.json"}, "AUTH_JWKS_URL must start", id="a path"),
        pytest.param({"auth_entra_tenant_id": TENANT}, "go together", id="a tenant without an app"),
        pytest.param({"auth_entra_client_id": CLIENT}, "go together", id="an app without a tenant"),
        pytest.param(ENTRA | {"auth_entra_tenant_id": "common"}, "auth_entra_tenant_id", id="every tenant"),
        pytest.param(ENTRA | {"auth_entra_client_id": "api://x"}, "auth_entra_client_id", id="an App ID URI"),
        pytest.param({"auth_scopes": 'a"b'}, "auth_scopes", id="a scope with a quote"),
        pytest.param({"public_base_url": "http://zava.example"}, "PUBLIC_BASE_URL", id="an address over http"),
        pytest.param({"public_base_url": "https://zava.example/"}, "PUBLIC_BASE_URL", id="a trailing slash"),
        pytest.param({"public_base_url": "https://zava.example/mcp"}, "PUBLIC_BASE_URL", id="a path"),
        pytest.param({"public_base_url": "https://zava.example?x"}, "PUBLIC_BASE_URL", id="a query"),
        pytest.param({"public_base_url": "zava.example"}, "PUBLIC_BASE_URL", id="no scheme"),
        pytest.param(
            {"public_base_url": "http://127.0.0.1:7071", "website_site_name": "zava"},
            "PUBLIC_BASE_URL",
            id="loopback on Azure",
        ),
    ],
)
def test_unsafe_settings_stop_the_start(changes: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        minimal_settings(**changes)


@pytest.mark.parametrize("url", ["", "https://zava.example", "https://zava.example:8443", "http://127.0.0.1:7071"])
def test_a_public_address_that_is_taken(url: str) -> None:
    assert minimal_settings(public_base_url=url).base_url == url
