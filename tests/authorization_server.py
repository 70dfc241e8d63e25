"""An OAuth 2.1 authorization server on loopback: metadata, registration, authorization code with PKCE, tokens.

It stands for an identity provider that does what the MCP authorization specification asks of one; the keys and tokens
are those of `LoopbackIssuer`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

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
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @contextmanager
    def running(self) -> Generator[AuthorizationServer]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        with self._keys:
            thread.start()
            try:
                yield self
            finally:
                self._server.shutdown()
                thread.join()
                self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a server that trusts this issuer."""
        return {"AUTH_ISSUER": self.url, "AUTH_JWKS_URL": self._keys.jwks_url}

    def _answer(self, path: str, given: dict[str, str]) -> tuple[int, dict[str, str], dict[str, Any]]:
        self.asked.append((path, given))
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
            return 200, {}, document
        if path == "/register":
            return 201, {}, json.loads(given["json"]) | {"client_id": secrets.token_urlsafe(8)}
        if path == "/authorize":
            code = secrets.token_urlsafe(16)
            self._codes[code] = given
            back = urlencode({"code": code, "state": given["state"], "iss": self.url})
            return 302, {"Location": f"{given['redirect_uri']}?{back}"}, {}
        if path == "/token":
            return self._token(given)
        return 404, {}, {}

    def _token(self, given: dict[str, str]) -> tuple[int, dict[str, str], dict[str, Any]]:
        asked = self._codes.pop(given.get("code", ""), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or (asked["code_challenge"], asked["code_challenge_method"]) != (proof, "S256")
            or any(asked.get(name) != given.get(name) for name in ("client_id", "redirect_uri", "resource"))
        ):
            return 400, {}, {"error": "invalid_grant"}
        scope = asked.get("scope", "") if self.granted is None else self.granted
        token = self._keys.mint(iss=self.url, scope=scope, **self.claims)
        return 200, {}, {"access_token": token, "token_type": "Bearer", "expires_in": 3_600, "scope": scope}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                self._send(*server._answer(parts.path, dict(parse_qsl(parts.query))))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                is_json = self.headers["Content-Type"] == "application/json"
                self._send(*server._answer(self.path, {"json": body} if is_json else dict(parse_qsl(body))))

            def _send(self, status: int, headers: dict[str, str], document: dict[str, Any]) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                for name, value in {
                    "Content-Type": "application/json",
                    "Content-Length": str(len(body)),
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        return Handler
