"""Key Vault on loopback, speaking its wire protocol, and the identity endpoint whose tokens it takes.

It answers under its real host name with a certificate for it, so that the client's checks of name, certificate and
challenge stay on. https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests import network_guard
from tests.azure_standins.http_server import HttpServer, Reply, Request
from tests.azure_standins.identity_endpoint import IdentityEndpoint
from zava.platform.credential import SharedCredential, azure_credential
from zava.platform.secret_source import KeyVaultSecrets, key_vault_client
from zava.platform.secrets import Secrets

HOST = "zavavault.vault.azure.net"
URL = f"https://{HOST}"
_RESOURCE = "https://vault.azure.net"


class KeyVault:
    """Attributes:
    secrets: by name.
    status: when set, what the vault answers every request with.
    hangs: every request is kept waiting.
    asked: paths of the vault's requests, with the status of each.
    identity: where its clients get their tokens.
    """

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.status: int | None = None
        self.hangs = False
        self.asked: list[tuple[str, int]] = []
        self.identity = IdentityEndpoint(uuid.uuid4().hex)
        self.server = HttpServer(self._handle, HOST)

    @contextmanager
    def running(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Generator[KeyVault]:
        """Serve, with the environment of this process set as Azure would set it."""
        with self.identity.server, self.server:
            for name, value in self.identity.environment().items():
                monkeypatch.setenv(name, value)
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(self.server.trust_file(folder)))
            self.come_back()
            yield self
            self.hangs = self.identity.hangs = False

    def go_away(self) -> None:
        """Refuse every new connection, and end those that are open."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            network_guard.route(HOST, probe.getsockname()[1])
        self.server.drop_connections()

    def come_back(self) -> None:
        network_guard.route(HOST, self.server.port)

    def secrets_of(self, clock: Callable[[], float] = time.monotonic) -> Secrets:
        """What the app would read this vault by, with a credential of its own."""
        ahead = time.time() - clock()
        credential = SharedCredential(lambda: azure_credential("", on_azure=True), lambda: clock() + ahead)
        return Secrets({}, KeyVaultSecrets(lambda: key_vault_client(URL, credential), clock), clock=clock)

    @property
    def answers(self) -> list[int]:
        """The statuses so far; without 401, which tells a client at its first request where to get a token."""
        return [status for _, status in self.asked if status != 401]

    async def _handle(self, request: Request) -> Reply:
        while self.hangs:
            await asyncio.sleep(0.02)
        parts = urlsplit(request.path)
        reply = self._reply(request, unquote(parts.path), parse_qs(parts.query))
        self.asked.append((parts.path, reply.status))
        return reply

    def _reply(self, request: Request, path: str, query: dict[str, list[str]]) -> Reply:
        if self.status is not None:
            return _error(self.status, "Unavailable", "stand-in", {"Retry-After": "60"})
        if request.headers.get("authorization") != f"Bearer {self.identity.token}":
            login = "https://login.microsoftonline.com/3f0c8a6e-52b1-4c0d-9a54-7d1f0a4c9b11"
            challenge = f'Bearer authorization="{login}", resource="{_RESOURCE}"'
            return _error(401, "Unauthorized", "AKV10000: no token", {"WWW-Authenticate": challenge})
        name = path.split("/")[2] if path.startswith("/secrets/") else ""
        if request.method == "PUT" and name:
            self.secrets[name] = json.loads(request.body)["value"]
        if name not in self.secrets or "api-version" not in query:
            return _error(404, "SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")
        now = int(time.time())
        attributes = {"enabled": True, "created": now, "updated": now}
        document = {"value": self.secrets[name], "id": f"{URL}/secrets/{name}/1", "attributes": attributes}
        return Reply(200, json.dumps(document).encode())


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Reply:
    document: dict[str, Any] = {"error": {"code": code, "message": message}}
    return Reply(status, json.dumps(document).encode(), headers or {})
