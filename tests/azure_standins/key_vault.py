"""Key Vault on loopback with the managed identity that may read it, speaking their wire protocols.

The vault answers under its real host name with a certificate for it, so that the client's checks of name, certificate
and challenge stay on. https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests import network_guard
from tests.azure_standins.http_server import HttpServer, Reply, Request
from tests.azure_standins.identity_endpoint import IdentityEndpoint

HOST = "zavavault.vault.azure.net"
URL = f"https://{HOST}"
_RESOURCE = "https://vault.azure.net"
_LOGIN = "https://login.microsoftonline.com/3f0c8a6e-52b1-4c0d-9a54-7d1f0a4c9b11"


class KeyVaultStandIn:
    """Attributes:
    secrets: by name.
    status: when set, what the vault answers every request with.
    hangs: the vault keeps every request waiting.
    asked: paths of the vault's requests, with the status of each.
    ca_file: what a client must trust.
    identity: hands out the one token that the vault accepts.
    """

    def __init__(self, folder: Path) -> None:
        self.secrets: dict[str, str] = {}
        self.status: int | None = None
        self.hangs = False
        self.asked: list[tuple[str, int]] = []
        self._token = uuid.uuid4().hex
        self.identity = IdentityEndpoint(self._token)
        self.server = HttpServer(self._handle, HOST)
        self.ca_file = self.server.trust_file(folder)

    async def _handle(self, request: Request) -> Reply:
        if self.hangs:
            await asyncio.Event().wait()
        parts = urlsplit(request.path)
        reply = self._answer(unquote(parts.path), parse_qs(parts.query), request.headers.get("authorization"))
        self.asked.append((parts.path, reply.status))
        return reply

    def _answer(self, path: str, query: dict[str, list[str]], authorization: str | None) -> Reply:
        if self.status is not None:
            return _error(self.status, "Unavailable", "stand-in", {"Retry-After": "60"})
        if authorization != f"Bearer {self._token}":
            challenge = f'Bearer authorization="{_LOGIN}", resource="{_RESOURCE}"'
            return _error(401, "Unauthorized", "AKV10000: no token", {"WWW-Authenticate": challenge})
        name = path.split("/")[2] if path.startswith("/secrets/") else ""
        if name not in self.secrets or "api-version" not in query:
            return _error(404, "SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")
        now = int(time.time())
        attributes = {"enabled": True, "created": now, "updated": now}
        return _reply(200, {"value": self.secrets[name], "id": f"{URL}/secrets/{name}/1", "attributes": attributes})


@contextmanager
def running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[KeyVaultStandIn]:
    """The vault under its own name, and this process as the identity that may read it, while the block runs."""
    vault = KeyVaultStandIn(folder)
    with vault.server as server, vault.identity.server:
        network_guard.route(HOST, server.port)
        for name, value in vault.identity.environment().items():
            monkeypatch.setenv(name, value)
        yield vault


def _reply(status: int, document: dict[str, Any], headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(document).encode(), headers or {})


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Reply:
    return _reply(status, {"error": {"code": code, "message": message}}, headers)
