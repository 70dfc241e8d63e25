"""The bearer token at the door, and what a client without one is told (MCP authorization, RFC 6750, RFC 9728).

Only the `Authorization` header counts. Nothing here reads a URL, so a token in the query string is no token; and
`x-ms-client-principal*`, which App Service authentication sets and anybody can send where that is off, is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from zava.errors import AuthenticationError, InsufficientScopeError, MCPError, ValidationError
from zava.platform.identity import FULL_ACCESS_SCOPE, PERMISSIONS, Principal, TokenVerifier
from zava.platform.pseudonyms import Pseudonyms
from zava.platform.settings import Settings
from zava.platform.token_verifier import TrustedIssuer
from zava.platform.tracing import Steps
from zava.protocol.request import Caller
from zava.services.access import AccessRules, subject_hash

METADATA_PATH = "/.well-known/oauth-protected-resource"
RESOURCE_PATH = "/mcp"
"""Where the MCP endpoint is; the metadata is served at METADATA_PATH and at METADATA_PATH + RESOURCE_PATH."""

STORE_HEADER = "x-rls-user-id"

# RFC 6750, section 2.1. A host folds a repeated header into one with a comma, which the token's alphabet does not hold.
# Spelled out instead of IGNORECASE, which makes the long token eight times slower to match.
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9\-._~+/]+=*)")
_ANY_BEARER = re.compile(r"bearer +\S", re.IGNORECASE)
_LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_NOT_QUOTABLE = re.compile(r"[^ !#-\[\]-~]")  # RFC 6750, section 3


class Revocations(Protocol):
    """What ends a token before its time."""

    async def check(self, principal: Principal) -> None:
        """Raises AuthenticationError when the principal is revoked, ServiceUnavailableError when that is not known."""
        ...


class CallLimit(Protocol):
    """How often a caller may call."""

    async def take(self, caller: str) -> None:
        """Raises RateLimitError."""
        ...


class Authentication:
    """Admits requests: from their headers to who calls and which stores the call may see.

    `revocations` and `rate_limit` may be left out where there is no database to keep them, `pseudonyms` where there are
    no secrets.
    """

    def __init__(
        self,
        verifier: TokenVerifier,
        access: AccessRules,
        revocations: Revocations | None = None,
        rate_limit: CallLimit | None = None,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        self._verifier = verifier
        self._access = access
        self._revocations = revocations
        self._rate_limit = rate_limit
        self._pseudonyms = pseudonyms

    async def admit(self, headers: Mapping[str, str]) -> Caller:
        """The caller of a request. Header names are lower case.

        Raises:
            AuthenticationError: no bearer token, more than one, or one that does not verify or was revoked.
            AuthorizationError: the token is good, but what is asked for is not its owner's.
            ValidationError: `x-rls-user-id` is malformed.
            RateLimitError: the caller has used its allowance.
            ServiceUnavailableError: the issuer's keys cannot be had, or what is revoked cannot be looked up.
            DatabaseUnavailableError: the stores cannot be read.
        """
        steps = Steps()
        principal = await self.verified(headers)
        steps.ended("zava.admission.token_ms")
        try:
            scope = await self._access.scope_of(principal, headers.get(STORE_HEADER))
            steps.ended("zava.admission.stores_ms")
            if self._rate_limit is not None:
                await self._rate_limit.take(scope.subject)
            steps.ended("zava.admission.limit_ms")
        except MCPError as refusal:
            refusal.caller = await self._pseudonym(subject_hash(principal))
            raise
        return Caller(principal, scope, await self._pseudonym(scope.subject), steps.milliseconds)

    async def _pseudonym(self, subject: str) -> str:
        return "" if self._pseudonyms is None else await self._pseudonyms.of(subject)

    async def verified(self, headers: Mapping[str, str]) -> Principal:
        """Whose token it is, if it is not revoked; nothing is said yet of what its owner may see.

        Raises:
            AuthenticationError: as in `admit`.
            ServiceUnavailableError: as in `admit`.
        """
        principal = await self._verifier.verify(bearer_token(headers))
        try:
            if self._revocations is not None:
                await self._revocations.check(principal)
        except MCPError as refusal:
            refusal.caller = await self._pseudonym(subject_hash(principal))
            raise
        return principal


def bearer_token(headers: Mapping[str, str]) -> str:
    """The one token of the `Authorization` header, not verified. Raises AuthenticationError."""
    value = headers.get("authorization", "")
    if (match := _BEARER.fullmatch(value)) is not None:
        return match[1]
    sent = _ANY_BEARER.match(value) is not None
    raise AuthenticationError(
        "The Authorization header is malformed" if sent else "A bearer token is needed",
        "Send one header `Authorization: Bearer <token>`.",
        token_sent=sent,
    )


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """What a client needs to know to get a token. `base_url` is empty where the address is the loopback `Host`."""

    authorization_server: str
    scopes: tuple[str, ...]
    base_url: str

    @classmethod
    def of(cls, settings: Settings) -> ProtectedResource:
        issuer = TrustedIssuer.of(settings)
        own = tuple(sorted(PERMISSIONS))
        if issuer.tenant_id is not None:  # Entra ID only takes full scope names, though its tokens hold short ones
            own = (f"api://{issuer.audience}/{FULL_ACCESS_SCOPE}",)
        return cls(issuer.issuer, settings.auth_scopes or own, settings.base_url)

    def metadata(self, headers: Mapping[str, str]) -> dict[str, object]:
        """The metadata document (RFC 9728, section 2). An issuer that has no address, as a laptop's, is left out.

        Raises:
            ValidationError: the server's own address is neither set nor loopback.
        """
        address = self.address(headers)
        if not address:
            raise ValidationError("This server does not know its public address", "Set PUBLIC_BASE_URL.")
        return {
            "resource": address + RESOURCE_PATH,
            **({"authorization_servers": [self.authorization_server]} if self.signs_users_in else {}),
            "scopes_supported": list(self.scopes),
            "bearer_methods_supported": ["header"],
            "resource_name": "Zava retail sales",
        }

    def www_authenticate(self, error: MCPError, headers: Mapping[str, str]) -> str | None:
        """The one `WWW-Authenticate` value of a refusal; None when a new token would not help.

        So a missing role or a foreign store has none: clients answer `insufficient_scope` by sending the user to the
        sign-in page again, in vain.
        """
        parameters: dict[str, str] = {}
        match error:
            case AuthenticationError(token_sent=sent):
                if sent:  # RFC 6750, section 3.1: no error code for a request without a token
                    parameters = {"error": "invalid_token", "error_description": error.message}
            case InsufficientScopeError():
                parameters = {"error": "insufficient_scope", "error_description": error.message}
            case _:
                return None
        parameters["scope"] = " ".join(self.scopes)
        if address := self.address(headers):
            parameters["resource_metadata"] = address + METADATA_PATH + RESOURCE_PATH
        return "Bearer " + ", ".join(f'{name}="{_NOT_QUOTABLE.sub("", text)}"' for name, text in parameters.items())

    @property
    def signs_users_in(self) -> bool:
        """Whether the issuer has an address a client can send its user to."""
        return self.authorization_server.startswith(("https://", "http://"))

    def address(self, headers: Mapping[str, str]) -> str:
        """This server's own address, without path; empty when it is neither set nor loopback."""
        if self.base_url:
            return self.base_url
        # Off loopback a caller's word for the server's address would be put into what other programs trust.
        host = headers.get("host", "")
        return f"http://{host}" if _LOOPBACK_HOST.fullmatch(host) else ""
