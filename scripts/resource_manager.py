"""Azure Resource Manager over its REST API: the few calls that open a database and a vault for a moment, or restart it.

The management SDKs would bring three packages of tens of megabytes for six requests.
https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2

ADDRESS = "https://management.azure.com"
SCOPE = f"{ADDRESS}/.default"
FIREWALL_RULE = "zava-postprovision"
_POSTGRES_VERSION = "2025-08-01"
_VAULT_VERSION = "2025-05-01"
_ONE_CALL_SECONDS = 60.0
_OPERATION_SECONDS = 900.0
_PAUSE_SECONDS = 5.0


class ResourceManagerError(Exception):
    """Azure refused a management call, or it did not end in time. The message names the call and Azure's reason."""


class ResourceManager:
    """Args:
    token: gives a bearer token for `SCOPE`.
    client: HTTP client; its owner closes it.
    """

    def __init__(self, token: Callable[[], Awaitable[str]], client: httpx2.AsyncClient) -> None:
        self._token = token
        self._client = client

    async def call(self, method: str, path: str, version: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One call, waited for to its end when Azure goes on with it in the background.

        Raises:
            ResourceManagerError: Azure said no, was not through after 15 minutes, or sent us to another address.
        """
        what = f"{method} {path.rsplit('/providers/', 1)[-1]}"
        answer = await self._send(method, f"{ADDRESS}{path}?api-version={version}", what, body)
        operation = answer.headers.get("azure-asyncoperation")
        ends = time.monotonic() + _OPERATION_SECONDS
        while operation:
            await asyncio.sleep(float(answer.headers.get("retry-after", _PAUSE_SECONDS)))
            answer = await self._send("GET", operation, what, None)
            state = answer.json()
            if state["status"] == "Succeeded":
                return {}
            if state["status"] in {"Failed", "Canceled"}:
                raise ResourceManagerError(f"{what} ended as {state['status']}: {_reason(answer)}")
            if time.monotonic() > ends:
                raise ResourceManagerError(f"{what} did not end within {_OPERATION_SECONDS / 60:.0f} minutes")
        return answer.json() if answer.content else {}

    async def _send(self, method: str, url: str, what: str, body: Mapping[str, Any] | None) -> httpx2.Response:
        if not url.startswith(f"{ADDRESS}/"):  # the answer names where its operation is looked at
            raise ResourceManagerError(f"{what} is said to go on at another address, which gets no token: {url[:100]}")
        headers = {"Authorization": f"Bearer {await self._token()}"}
        try:
            answer = await self._client.request(method, url, json=body, headers=headers, timeout=_ONE_CALL_SECONDS)
        except httpx2.HTTPError as problem:
            raise ResourceManagerError(f"{what}: {problem or type(problem).__name__}") from problem
        if answer.is_success or (method == "DELETE" and answer.status_code == 404):
            return answer
        raise ResourceManagerError(f"{what} was refused with status {answer.status_code}: {_reason(answer)}")


@asynccontextmanager
async def reachable(
    manager: ResourceManager,
    server: str,
    vault: str,
    address: str,
    *,
    private_networking: bool,
    rule_name: str = FIREWALL_RULE,
) -> AsyncGenerator[None]:
    """Let `address` reach the database server, and with private networking the vault too, while the block runs.

    Args:
        server, vault: their resource ids.
        address: one IPv4 address, that of this machine as Azure sees it.

    What was opened is closed again whatever happens in the block; a process that is killed leaves the rule behind,
    and the next run takes it away.
    """
    rule = f"{server}/firewallRules/{rule_name}"
    try:
        if private_networking:
            await manager.call("PATCH", server, _POSTGRES_VERSION, _public_access("Enabled"))
            await manager.call("PATCH", vault, _VAULT_VERSION, _vault_access([address]))
        only_it = {"properties": {"startIpAddress": address, "endIpAddress": address}}
        await manager.call("PUT", rule, _POSTGRES_VERSION, only_it)
        yield
    finally:
        try:
            await manager.call("DELETE", rule, _POSTGRES_VERSION)
        finally:
            if private_networking:
                try:
                    await manager.call("PATCH", server, _POSTGRES_VERSION, _public_access("Disabled"))
                finally:
                    await manager.call("PATCH", vault, _VAULT_VERSION, _vault_access([]))


async def restart_if_parameters_wait(manager: ResourceManager, server: str) -> str:
    """Restart the server when a parameter waits for that: `max_connections` is read at the start alone.

    Raises:
        ResourceManagerError: Azure said no.
    """
    parameter = await manager.call("GET", f"{server}/configurations/max_connections", _POSTGRES_VERSION)
    if not parameter["properties"].get("isConfigPendingRestart"):
        return "in force"
    await manager.call("POST", f"{server}/restart", _POSTGRES_VERSION)
    return "in force after a restart"


def _public_access(state: str) -> dict[str, Any]:
    return {"properties": {"network": {"publicNetworkAccess": state}}}


def _vault_access(addresses: list[str]) -> dict[str, Any]:
    rules = [{"value": f"{address}/32"} for address in addresses]
    network = {"defaultAction": "Deny", "bypass": "None", "ipRules": rules}
    return {"properties": {"publicNetworkAccess": "Enabled" if addresses else "Disabled", "networkAcls": network}}


def _reason(answer: httpx2.Response) -> str:
    """Azure's own sentence, where the answer is as its guidelines say."""
    try:
        error: Mapping[str, Any] = answer.json().get("error") or {}
    except (ValueError, AttributeError):
        return "no reason given"
    return str(error.get("message") or error.get("code") or "no reason given")
