"""An issuer on 127.0.0.1 that behaves as Entra ID does: keys without `alg`, rotation, outages, slow answers."""

from __future__ import annotations

import json
import ssl
import threading
import time
import uuid
from collections.abc import Sequence
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

TENANT = "3f0c8a6e-52b1-4c0d-9a54-7d1f0a4c9b11"
CLIENT = "9b1f6c52-0d8e-4f7a-8a35-1c2d3e4f5a6b"
PERSON = "00000000-0000-0000-0000-000000000007"
SEATTLE = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
TACOMA = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"


@cache
def private_key(number: int) -> RSAPrivateKey:
    """The same key for the same number: making one takes a tenth of a second."""
    return generate_private_key(65_537, 2_048)


def public_jwk(key: RSAPrivateKey, key_id: str) -> dict[str, Any]:
    numbers = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"kty": "RSA", "use": "sig", "kid": key_id, "x5t": key_id, "n": numbers["n"], "e": numbers["e"]}


class LoopbackIssuer:
    """A context manager. `tls` makes it speak https.

    Attributes:
        status: what its key endpoint answers; 200 brings the keys.
        document: what it answers instead of the keys, when set.
        requests: how often it was asked.
        asked: set with every request.
        may_answer: cleared, it keeps every request waiting.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.status = 200
        self.document: bytes | None = None
        self.requests = 0
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._key_numbers = [1]
        self._scheme = "https" if tls else "http"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False  # so that closing waits for them, and none outlives its test
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def jwks_url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}/discovery/v2.0/keys"

    @property
    def key_id(self) -> str:
        """The id of the key that new tokens are signed with."""
        return f"key-{self._key_numbers[-1]}"

    @property
    def key(self) -> RSAPrivateKey:
        return private_key(self._key_numbers[-1])

    def rotate(self, *, withdraw: bool = False) -> None:
        """Publish and use a new key; `withdraw` the earlier ones."""
        newer = self._key_numbers[-1] + 1
        self._key_numbers = [newer] if withdraw else [*self._key_numbers, newer]

    def jwks(self) -> bytes:
        return json.dumps({"keys": [public_jwk(private_key(n), f"key-{n}") for n in self._key_numbers]}).encode()

    def mint(
        self,
        *,
        drop: Sequence[str] = (),
        header: dict[str, Any] | None = None,
        key: Any = None,
        algorithm: str = "RS256",
        **claims: Any,
    ) -> str:
        """A token of the generic issuer for head office, changed as asked."""
        now = int(time.time())
        defaults: dict[str, Any] = {
            "iss": "zava-auth",
            "aud": "mcp-server",
            "sub": "ada",
            "iat": now,
            "nbf": now,
            "exp": now + 3_600,
            "jti": str(uuid.uuid4()),
            "roles": ["super_admin"],
        }
        return self._signed(defaults | claims, drop, header, key, algorithm)

    def mint_entra(self, *, drop: Sequence[str] = (), header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token as Entra ID v2 makes it for a user, changed as asked."""
        now = int(time.time())
        defaults: dict[str, Any] = {
            "aud": CLIENT,
            "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
            "iat": now - 300,
            "nbf": now - 300,
            "exp": now + 4_000,
            "azp": "aebc6443-996d-45c2-90f0-388ff96faa56",
            "azpacr": "0",
            "name": "Ada Example",
            "oid": PERSON,
            "preferred_username": "ada@example.com",
            "roles": ["super_admin"],
            "scp": "mcp.access",
            "sub": "pairwise-pseudonym",
            "tid": TENANT,
            "uti": "dGhlIGlkIG9mIGl0",
            "ver": "2.0",
        }
        return self._signed(defaults | claims, drop, header, None, "RS256")

    def _signed(
        self, claims: dict[str, Any], drop: Sequence[str], header: dict[str, Any] | None, key: Any, algorithm: str
    ) -> str:
        kept = {name: value for name, value in claims.items() if name not in drop}
        headers = {name: value for name, value in ({"kid": self.key_id} | (header or {})).items() if value is not None}
        return jwt.encode(kept, key or self.key, algorithm=algorithm, headers=headers)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.requests += 1
                issuer.asked.set()
                issuer.may_answer.wait()
                body = issuer.jwks() if issuer.document is None else issuer.document
                try:
                    self.send_response(issuer.status)
                    if 300 <= issuer.status < 400:
                        self.send_header("Location", issuer.jwks_url)
                    self.end_headers()  # without a length: the body ends with the connection
                    self.wfile.write(body)
                except OSError:
                    pass  # the client had enough

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        return Handler
