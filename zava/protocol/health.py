"""What probes ask: is the process alive, and may it be sent tenants' calls.

Anybody may ask, so anybody learns only which part is well; a super_admin's token also gets the names of failed checks.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping

from pydantic_core import to_json

from zava.data.isolation_proof import IsolationProof
from zava.errors import MCPError
from zava.platform.identity import SUPER_ADMIN
from zava.protocol.authentication import Authentication
from zava.protocol.http import HttpReply, reply

_READY_SECONDS = 5.0


class Health:
    def __init__(self, proof: IsolationProof, authentication: Authentication) -> None:
        self._proof = proof
        self._authentication = authentication

    async def live(self) -> HttpReply:
        """200 as long as the process answers at all."""
        return _report(200, {"status": "live"})

    async def ready(self, headers: Mapping[str, str]) -> HttpReply:
        """200 when the database answers and proves that tenants are kept apart, else 503."""
        try:
            async with asyncio.timeout(_READY_SECONDS):
                failed = await self._proof.run()
        except (MCPError, TimeoutError):
            return _report(503, {"status": "not ready", "database": "failed", "isolation": "unknown"})
        document: dict[str, object] = {
            "status": "not ready" if failed else "ready",
            "database": "ok",
            "isolation": "failed" if failed else "proved",
        }
        if failed and await self._is_super_admin(headers):
            document["failed_checks"] = list(failed)
        return _report(503 if failed else 200, document)

    async def _is_super_admin(self, headers: Mapping[str, str]) -> bool:
        try:
            caller = await self._authentication.admit(headers)
        except MCPError:
            return False
        return SUPER_ADMIN in caller.principal.roles


def _report(status: int, document: Mapping[str, object]) -> HttpReply:
    return reply(status, to_json(document), secrets.token_hex(16))
