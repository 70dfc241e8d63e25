"""The managed identity endpoint of App Service and Functions (api-version 2019-08-01), on loopback."""

from __future__ import annotations

import asyncio
import json
import time
from urllib.parse import parse_qs, urlsplit

from tests.azure_standins.http_server import HttpServer, Reply, Request

_HEADER = "the-secret-only-this-machine-knows"


class IdentityEndpoint:
    """Hands out tokens and counts the requests.

    Attributes:
        token: what everybody gets, but for the identities in `token_of`, which has tokens by client id.
        status: other than 200 it is what is answered instead.
        hangs: every request is kept waiting.
    """

    def __init__(self, token: str, *, lifetime: int = 86_400) -> None:
        self.server = HttpServer(self._handle)
        self.requests: list[dict[str, str]] = []
        self.status = 200
        self.hangs = False
        self.token = token
        self.token_of: dict[str, str] = {}
        self._lifetime = lifetime

    def environment(self) -> dict[str, str]:
        """What the platform sets for azure-identity to find it; the server must have been entered."""
        return {"IDENTITY_ENDPOINT": f"http://127.0.0.1:{self.server.port}/msi/token", "IDENTITY_HEADER": _HEADER}

    async def _handle(self, request: Request) -> Reply:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        self.requests.append(asked)
        while self.hangs:
            await asyncio.sleep(0.02)
        if self.status != 200 or request.headers.get("x-identity-header") != _HEADER:
            return Reply(self.status if self.status != 200 else 401, b'{"message": "no token"}')
        answer = {
            "access_token": self.token_of.get(asked.get("client_id", ""), self.token),
            "expires_on": str(int(time.time()) + self._lifetime),
            "resource": asked["resource"],
            "token_type": "Bearer",
        }
        return Reply(200, json.dumps(answer).encode())
