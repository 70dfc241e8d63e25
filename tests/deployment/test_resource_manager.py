"""The token that may change Azure's resources is shown to Azure Resource Manager, and to nobody it names."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from scripts.resource_manager import ResourceManager, ResourceManagerError
from tests import network_guard
from tests.azure_standins.http_server import HttpServer, Reply, Request
from tests.azure_standins.resource_manager import HOST, TOKEN, ResourceManagerStandIn

_SERVER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/psql"


@pytest.fixture
def azure() -> ResourceManagerStandIn:
    return ResourceManagerStandIn()


@pytest.fixture
async def manager(azure: ResourceManagerStandIn, tmp_path: Path) -> AsyncIterator[ResourceManager]:
    async def token() -> str:
        return TOKEN

    with azure.server:
        network_guard.route(HOST, azure.server.port)
        trusted = ssl.create_default_context(cafile=str(azure.server.trust_file(tmp_path)))
        async with httpx2.AsyncClient(verify=trusted) as client:
            yield ResourceManager(token, client)


async def test_a_long_operation_is_waited_for_at_azures_own_address(
    azure: ResourceManagerStandIn, manager: ResourceManager
) -> None:
    assert await manager.call("POST", f"{_SERVER}/restart", "1") == {}
    assert azure.calls == [("POST", "psql/restart")]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://127.0.0.1:{port}/operations/1",
        f"http://{HOST}/operations/1",
        f"https://{HOST}:8443/operations/1",
        f"https://{HOST}.evil.example/operations/1",
        f"https://{HOST}@evil.example/operations/1",
    ],
)
async def test_no_other_address_gets_the_token(
    elsewhere: str, azure: ResourceManagerStandIn, manager: ResourceManager
) -> None:
    seen: list[Request] = []

    async def handle(request: Request) -> Reply:
        seen.append(request)
        return Reply(200, b'{"status": "Succeeded"}')

    with HttpServer(handle) as stranger:
        azure.operations = elsewhere.format(port=stranger.port)
        with pytest.raises(ResourceManagerError, match="another address, which gets no token"):
            await manager.call("POST", f"{_SERVER}/restart", "1")
    assert seen == []
