"""What every HTTP request passes on its way in and every answer on its way out, whichever trigger it belongs to.

In: the flood guard of this worker. Out: security headers, and the headers browsers of listed origins need (CORS).
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from zava.errors import RateLimitError, ServiceUnavailableError
from zava.platform.call_rate import CallRate
from zava.platform.settings import Settings
from zava.protocol.http import HttpReply, error_reply, reply
from zava.services.rate_limit import refuse_when_waiting

_HEADERS = {
    # Nothing served here loads anything; a page that must brings its own, just as strict, policy.
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_HSTS = "max-age=63072000; includeSubDomains"  # RFC 6797; on a laptop it would lock http://localhost out for years
_METHODS = "POST, GET, OPTIONS"
_REQUEST_HEADERS = (
    "accept, authorization, content-type, last-event-id, mcp-method, mcp-name, mcp-protocol-version, mcp-session-id, "
    "traceparent, x-rls-user-id"
)
_PARAMETER_HEADER = re.compile(r"mcp-param-[a-z0-9-]{1,64}")
_EXPOSED = "retry-after, www-authenticate, x-correlation-id"
_PREFLIGHT_SECONDS = "600"
_WITH_PORT = re.compile(r"\[([0-9a-fA-F:.%]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


class Edge:
    """The outermost part of every HTTP trigger.

    Args:
        flood: how often one address may call this worker; None where the address is not known, which is everywhere but
            on Azure: there the platform appends it to `x-forwarded-for`, elsewhere that is the caller's own invention
            (and the development host listens on loopback alone).
        allowed_origins: as in `McpEndpoint`; without any, no answer carries a CORS header.
    """

    def __init__(self, *, on_azure: bool, allowed_origins: frozenset[str], flood: CallRate | None) -> None:
        self._on_azure = on_azure
        self._allowed_origins = frozenset(origin.lower() for origin in allowed_origins) - {"null"}
        self._flood = flood
        self._refuses_all = False
        self.in_flight = 0

    def refuse_all(self) -> None:
        """Answer every request from now on with a 503 that says to try again: this worker ends."""
        self._refuses_all = True

    @classmethod
    def of(cls, settings: Settings) -> Edge:
        per_second = settings.flood_limit_per_second
        flood = CallRate(1 / per_second, 2 * per_second) if settings.on_azure else None
        return cls(on_azure=settings.on_azure, allowed_origins=settings.mcp_allowed_origins, flood=flood)

    async def answer(
        self,
        method: str,
        headers: Mapping[str, str],
        work: Callable[[], Awaitable[HttpReply]],
        *,
        any_origin: bool = False,
    ) -> HttpReply:
        """The answer to one request, by `work` unless the address calls too often or a browser only asks what it may.

        Args:
            any_origin: the document is public, so every site may read it.
        """
        self.in_flight += 1
        try:
            if self._refuses_all:
                raise ServiceUnavailableError(
                    "This server is being replaced", "Try the same call again in a moment.", 1
                )
            if self._flood is not None:
                refuse_when_waiting(self._flood.take(client_address(headers)))
            answer = self._preflight(headers, any_origin) if method == "OPTIONS" else await work()
        except (RateLimitError, ServiceUnavailableError) as refusal:
            answer = error_reply(refusal, secrets.token_hex(16), headers)
        finally:
            self.in_flight -= 1
        extra = _HEADERS | self._cross_origin(headers, any_origin)
        if self._on_azure:
            extra["strict-transport-security"] = _HSTS
        return replace(answer, headers=extra | dict(answer.headers))

    def _may_read(self, headers: Mapping[str, str], any_origin: bool) -> bool:
        origin = headers.get("origin")
        return origin is not None and (any_origin or origin.lower() in self._allowed_origins)

    def _cross_origin(self, headers: Mapping[str, str], any_origin: bool) -> dict[str, str]:
        if any_origin:
            return {"access-control-allow-origin": "*"}
        if not self._allowed_origins:
            return {}
        vary = {"vary": "Origin"}
        if not self._may_read(headers, any_origin):
            return vary
        # No credentials header: cookies mean nothing here, and a bearer token is sent without it.
        return vary | {
            "access-control-allow-origin": headers["origin"],
            "access-control-expose-headers": _EXPOSED,
        }

    def _preflight(self, headers: Mapping[str, str], any_origin: bool) -> HttpReply:
        """Fetch standard, "CORS-preflight request"; 403 for an origin that may not call."""
        correlation_id = secrets.token_hex(16)
        if not self._may_read(headers, any_origin):
            return reply(403, b"", correlation_id)
        asked = headers.get("access-control-request-headers", "").lower().split(",")
        named = [name for part in asked if _PARAMETER_HEADER.fullmatch(name := part.strip())]
        allowed = {
            "access-control-allow-methods": _METHODS,
            "access-control-allow-headers": ", ".join([_REQUEST_HEADERS, *sorted(set(named))[:20]]),
            "access-control-max-age": _PREFLIGHT_SECONDS,
        }
        return reply(204, b"", correlation_id, extra=allowed)


def client_address(headers: Mapping[str, str]) -> str:
    """Who called, as Azure's front end says it: the last entry of `x-forwarded-for`; those before it anybody can send.

    An IPv6 caller is known by its /64, which is what one line gets. Anything unreadable is one caller, "unknown".
    """
    last = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    if (match := _WITH_PORT.fullmatch(last)) is not None:
        last = match[1] or match[2]
    try:
        address = ipaddress.ip_address(last.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)
