"""An OAuth 2.1 authorization server on loopback: metadata, registration, authorization code with PKCE, tokens.

It stands for an identity provider that does what the MCP authorization specification asks of one; the keys and tokens
are those of `LoopbackIssuer`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.azure_standins.http_server import HttpServer, Reply, Request
from tests.loopback_issuer import LoopbackIssuer


class AuthorizationServer:
    """Attributes:
    granted: the scopes a person grants, whatever a client asks for; None grants what was asked for.
    claims: what tokens say beside that.
    asked: path and parameters of every request, in order.
    """

    def __init__(self) -> None:
        self.granted: str | None = None
        self.claims: dict[str, Any] = {"roles": ["super_admin"]}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._keys = LoopbackIssuer()
        self._codes: dict[str, dict[str, str]] = {}
        self._server = HttpServer(self._handle)

    @contextmanager
    def running(self) -> Generator[AuthorizationServer]:
        with self._keys, self._server:
            yield self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a server that trusts this issuer."""
        return {"AUTH_ISSUER": self.url, "AUTH_JWKS_URL": self._keys.jwks_url}

    async def _handle(self, request: Request) -> Reply:
        parts = urlsplit(request.path)
        text = request.body.decode()
        is_json = request.headers.get("content-type") == "application/json"
        given = {"json": text} if is_json else dict(parse_qsl(text or parts.query))
        self.asked.append((parts.path, given))
        return self._answer(parts.path, given)

    def _answer(self, path: str, given: dict[str, str]) -> Reply:
        if path == "/.well-known/oauth-authorization-server":
            document = {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "registration_endpoint": f"{self.url}/register",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
            }
            return _reply(200, document)
        if path == "/register":
            return _reply(201, json.loads(given["json"]) | {"client_id": secrets.token_urlsafe(8)})
        if path == "/authorize":
            code = secrets.token_urlsafe(16)
            self._codes[code] = given
            back = urlencode({"code": code, "state": given["state"], "iss": self.url})
            return _reply(302, {}, Location=f"{given['redirect_uri']}?{back}")
        if path == "/token":
            return self._token(given)
        return _reply(404, {})

    def _token(self, given: dict[str, str]) -> Reply:
        asked = self._codes.pop(given.get("code", ""), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or (asked["code_challenge"], asked["code_challenge_method"]) != (proof, "S256")
            or any(asked.get(name) != given.get(name) for name in ("client_id", "redirect_uri", "resource"))
        ):
            return _reply(400, {"error": "invalid_grant"})
        scope = asked.get("scope", "") if self.granted is None else self.granted
        token = self._keys.mint(iss=self.url, scope=scope, **self.claims)
        return _reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3_600, "scope": scope})


def _reply(status: int, document: dict[str, Any], **headers: str) -> Reply:
    return Reply(status, json.dumps(document).encode(), headers)
