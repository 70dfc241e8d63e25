"""Key Vault and the managed identity endpoint of App Service on loopback, speaking their wire protocols.

The vault answers under its real host name with a certificate for it, so that the client's checks of name, certificate
and challenge stay on. https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import trustme

HOST = "zavavault.vault.azure.net"
URL = f"https://{HOST}"
_RESOURCE = "https://vault.azure.net"
Answer = tuple[int, dict[str, str], dict[str, Any]]


class VaultStandIn:
    """Attributes:
    secrets: by name.
    status: when set, what the vault answers every request with.
    may_answer: cleared, the vault keeps every request waiting.
    asked: paths of the vault's requests, with the status of each.
    tokens: how many tokens the identity endpoint gave.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.secrets: dict[str, str] = {}
        self.status: int | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked: list[tuple[str, int]] = []
        self.tokens = 0
        self._header = uuid.uuid4().hex
        self._token = uuid.uuid4().hex
        authority = trustme.CA()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(tls)
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        self._servers = [
            ThreadingHTTPServer(("127.0.0.1", 0), self._handler(answer)) for answer in (self._vault, self._identity)
        ]
        vault, identity = self._servers
        vault.socket = tls.wrap_socket(vault.socket, server_side=True, do_handshake_on_connect=False)
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{identity.server_address[1]}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", self._header)
        guarded, port = socket.getaddrinfo, vault.server_address[1]

        def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
            if host == HOST:
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
            return guarded(host, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    @contextmanager
    def running(self) -> Generator[VaultStandIn]:
        threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in self._servers]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.may_answer.set()
            for server, thread in zip(self._servers, threads, strict=True):
                server.shutdown()
                thread.join()
                server.server_close()

    def _identity(self, _path: str, query: dict[str, list[str]], headers: Any) -> Answer:
        if headers.get("X-IDENTITY-HEADER") != self._header or query.get("resource") != [_RESOURCE]:
            return 401, {}, {"message": "refused"}
        self.tokens += 1
        expires = str(int(time.time()) + 86_400)
        return (
            200,
            {},
            {"access_token": self._token, "expires_on": expires, "resource": _RESOURCE, "token_type": "Bearer"},
        )

    def _vault(self, path: str, query: dict[str, list[str]], headers: Any) -> Answer:
        self.may_answer.wait()
        if self.status is not None:
            return self.status, {"Retry-After": "60"}, _error("Unavailable", "stand-in")
        if headers.get("Authorization") != f"Bearer {self._token}":
            login = "https://login.microsoftonline.com/3f0c8a6e-52b1-4c0d-9a54-7d1f0a4c9b11"
            challenge = f'Bearer authorization="{login}", resource="{_RESOURCE}"'
            return 401, {"WWW-Authenticate": challenge}, _error("Unauthorized", "AKV10000: no token")
        name = path.split("/")[2] if path.startswith("/secrets/") else ""
        if name not in self.secrets or "api-version" not in query:
            return 404, {}, _error("SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")
        now = int(time.time())
        attributes = {"enabled": True, "created": now, "updated": now}
        return 200, {}, {"value": self.secrets[name], "id": f"{URL}/secrets/{name}/1", "attributes": attributes}

    def _handler(self, answer: Any) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                status, headers, document = answer(unquote(parts.path), parse_qs(parts.query), self.headers)
                if answer == stand_in._vault:
                    stand_in.asked.append((parts.path, status))
                body = json.dumps(document).encode()
                try:
                    self.send_response(status)
                    for name, value in {
                        "Content-Type": "application/json",
                        "Content-Length": str(len(body)),
                        **headers,
                    }.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # the client had enough

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        return Handler


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
