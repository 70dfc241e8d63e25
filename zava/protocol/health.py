"""What probes and operators ask: is the process alive, may it be sent tenants' calls, and how is each component.

Anybody may ask, so anybody learns little: whether it is well, and of readiness the two parts that the page at `/`
shows. A super_admin's token gets the components with their details. Answers may be a few seconds old, for that reason.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping

from pydantic_core import to_json

from zava.errors import MCPError
from zava.platform.identity import SUPER_ADMIN
from zava.protocol.authentication import Authentication
from zava.protocol.http import HttpReply, reply
from zava.services.health_checks import ComponentHealth, HealthChecks, HealthReport

_VERIFY_SECONDS = 3.0


class Health:
    """
    Args:
        readiness: asks what no call can do without.
        everything: asks every component.
    """

    def __init__(self, readiness: HealthChecks, everything: HealthChecks, authentication: Authentication) -> None:
        self._readiness = readiness
        self._everything = everything
        self._authentication = authentication

    async def live(self) -> HttpReply:
        """200 as long as the process answers at all."""
        return _reply(200, {"status": "live"})

    async def ready(self, headers: Mapping[str, str]) -> HttpReply:
        """200 when the database answers and proves that tenants are kept apart and the secrets are there, else 503."""
        report = await self._readiness.report()
        ready = report.status != "failed"
        database, isolation = report.components["database"], report.components["isolation"]
        document: dict[str, object] = {
            "status": "ready" if ready else "not ready",
            "database": database.status,
            "isolation": "proved" if isolation.status == "ok" else _of_isolation(isolation),
        }
        if not ready and await self._is_super_admin(headers):
            document |= {"failed": report.failed} | _failed_checks(isolation)
        return _reply(200 if ready else 503, document)

    async def detailed(self, headers: Mapping[str, str]) -> HttpReply:
        """200 while Zava can answer, well or in part (`degraded`), else 503; components only for a super_admin."""
        report = await self._everything.report()
        document: dict[str, object] = {"status": report.status}
        if await self._is_super_admin(headers):
            document |= {"failed": report.failed, "components": _components(report)}
        return _reply(503 if report.status == "failed" else 200, document)

    async def _is_super_admin(self, headers: Mapping[str, str]) -> bool:
        if "authorization" not in headers:
            return False
        try:
            async with asyncio.timeout(_VERIFY_SECONDS):
                principal = await self._authentication.verified(headers)
        except (MCPError, TimeoutError):  # what is revoked cannot be looked up: no details, then
            return False
        return SUPER_ADMIN in principal.roles


def _of_isolation(isolation: ComponentHealth) -> str:
    return "failed" if "failed_checks" in isolation.details else "unknown"


def _failed_checks(isolation: ComponentHealth) -> dict[str, object]:
    return {name: value for name, value in isolation.details.items() if name == "failed_checks"}


def _components(report: HealthReport) -> dict[str, object]:
    return {name: {"status": component.status, **component.details} for name, component in report.components.items()}


def _reply(status: int, document: Mapping[str, object]) -> HttpReply:
    return reply(status, to_json(document), secrets.token_hex(16))
