"""The part of Azure Resource Manager that opens a database's firewall and restarts it, with its long operations."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from tests.azure_standins.http_server import HttpServer, Reply, Request

HOST = "management.azure.com"
TOKEN = "a-token-for-the-resource-manager"


class ResourceManagerStandIn:
    """Attributes:
    rules: the firewall rules there are, by name.
    calls: method and last parts of the path of every change.
    refuses: a method that is answered with 403.
    restart_waits: a parameter of the database server is in force only after a restart.
    operations: where it says that its long operations can be looked at.
    """

    def __init__(self) -> None:
        self.rules: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.refuses = ""
        self.restart_waits = True
        self.operations = f"https://{HOST}/operations/1"
        self.server = HttpServer(self._handle, HOST)

    async def _handle(self, request: Request) -> Reply:
        path = urlsplit(request.path).path
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _reply(401, {"error": {"code": "InvalidAuthenticationToken", "message": "The token is not valid."}})
        if request.method == "GET" and path.startswith("/operations/"):
            return _reply(200, {"status": "Succeeded"})
        if request.method == self.refuses:
            return _reply(403, {"error": {"code": "AuthorizationFailed", "message": "You may not do that."}})
        kind, name = path.rsplit("/", 2)[-2:]
        if request.method == "GET" and kind == "configurations":
            return _reply(200, {"properties": {"isConfigPendingRestart": self.restart_waits}})
        if name == "restart":
            self.restart_waits = False
        self.calls.append((request.method, f"{kind}/{name}"))
        if kind == "firewallRules":
            if request.method == "PUT":
                self.rules[name] = json.loads(request.body)["properties"]
            elif request.method == "DELETE":
                self.rules.pop(name, None)
        return _reply(202, None, {"Azure-AsyncOperation": f"{self.operations}?api-version=1", "Retry-After": "0"})


def _reply(status: int, document: Any, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, b"" if document is None else json.dumps(document).encode(), headers or {})
