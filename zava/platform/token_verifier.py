"""Bearer tokens: signed JWTs (RFC 7519) of the one issuer that the settings name, an OIDC issuer or Entra ID v2.

What is checked follows the best current practice (RFC 8725): the algorithm is pinned, not read from the token; keys
come from the configured issuer, never from the token's own `jwk`, `jku` or `x5u`; issuer, audience and times must be
there and fit. A claim of the wrong type makes the whole token invalid: a guess about it could only grant too much.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import jwt

from zava.errors import AuthenticationError
from zava.platform.bounded_cache import BoundedCache
from zava.platform.identity import Principal
from zava.platform.jwks import JwksCache
from zava.platform.settings import Settings

MAX_TOKEN_BYTES = 16 * 1024
LEEWAY_SECONDS = 60
"""How far this machine's clock and the issuer's may be apart."""
LONGEST_LIFETIME_SECONDS = 25 * 3_600
"""From `iat` to `exp`. Revocations are kept as long as a token can live, so that must have an end: a day, the most
Entra ID can be set to, and an hour for issuers that date `iat` back (Entra ID: five minutes)."""
CACHED_SECONDS = 60
CACHED_TOKENS = 1_000

_KEY_ID = re.compile(r"[!-~]{1,256}")
_TYPES = {"jwt", "at+jwt", "application/at+jwt"}  # RFC 9068, section 2.1; an ID or logout token names another one
_CLAIMS = ["iss", "aud", "exp", "iat", "nbf", "sub"]
_OIDC_CLAIMS = [*_CLAIMS, "jti"]
# An ID token of the same app has no `azp`, and would otherwise pass for a token that carries app roles.
_ENTRA_CLAIMS = [*_CLAIMS, "tid", "oid", "ver", "uti", "azp"]
# Scopes about the sign-in itself (OpenID Connect Core, section 5.4): they say nothing about this API.
_SIGN_IN_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """The one issuer whose tokens are accepted. `tenant_id` is None unless it is Entra ID."""

    issuer: str
    audience: str
    jwks_url: str
    tenant_id: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> TrustedIssuer:
        """From the settings. An explicit AUTH_JWKS_URL also replaces Entra ID's own: for stand-ins and test issuers."""
        if not settings.auth_entra_tenant_id:
            return cls(settings.auth_issuer, settings.auth_audience, settings.auth_jwks_url)
        authority = f"https://login.microsoftonline.com/{settings.auth_entra_tenant_id}"
        keys = settings.auth_jwks_url or f"{authority}/discovery/v2.0/keys"
        return cls(f"{authority}/v2.0", settings.auth_entra_client_id, keys, settings.auth_entra_tenant_id)


class JwtVerifier:
    """Verifies tokens; implements `zava.platform.identity.TokenVerifier`.

    A verified token is remembered for at most a minute, by its SHA-256, because clients send the same one with every
    call. That is sound: the same bytes carry the same signature and claims, and issuer and audience do not change in a
    process. What ends a valid token is its `exp`, looked at on every use (without leeway: once past it, a token is
    verified in full), its revocation, checked behind this class, or the withdrawal of its key, which the key cache
    itself may learn an hour late. Refusals are not remembered, so nobody without a valid token can fill the memory.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, issuer: TrustedIssuer, keys: JwksCache, clock: Callable[[], float] = time.time) -> None:
        self._issuer = issuer
        self._keys = keys
        self._clock = clock
        self._verified: BoundedCache[bytes, tuple[Principal, float]] = BoundedCache(CACHED_TOKENS)

    async def verify(self, token: str) -> Principal:
        """See `TokenVerifier.verify`."""
        if len(token) > MAX_TOKEN_BYTES:
            raise _refusal(f"The token is longer than {MAX_TOKEN_BYTES} bytes")
        if not token.isascii():
            raise _refusal("The token is malformed")
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None and self._clock() < known[1]:
            return known[0]
        principal = await self._verify(token)
        self._verified.put(digest, (principal, min(principal.expires_at, self._clock() + CACHED_SECONDS)))
        return principal

    async def _verify(self, token: str) -> Principal:
        key = await self._keys.key(_key_id(token))
        if key is None:
            raise _refusal("The token is signed with a key the issuer does not publish")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._issuer.audience,
                issuer=self._issuer.issuer,
                options={
                    "require": _OIDC_CLAIMS if self._issuer.tenant_id is None else _ENTRA_CLAIMS,
                    "strict_aud": self._issuer.tenant_id is not None,
                    # The times are checked below: against a clock that tests can set, and as numbers only.
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.MissingRequiredClaimError as problem:
            raise _refusal(f"The token has no `{problem.claim}`") from None
        except jwt.InvalidAudienceError:
            raise _refusal("The token is for another audience") from None
        except jwt.InvalidIssuerError:
            raise _refusal("The token comes from another issuer") from None
        except jwt.InvalidSignatureError:
            raise _refusal("The token's signature does not verify") from None
        except jwt.PyJWTError:
            raise _refusal("The token is malformed") from None
        issued_at, expires_at = _lifetime(claims, self._clock())
        subject, token_id = self._identity(claims)
        return Principal(
            issuer=self._issuer.issuer,
            subject=subject,
            roles=_names(claims, "roles") or frozenset(),
            permissions=_permissions(claims),
            allowed_stores=_names(claims, "allowed_stores"),
            allowed_regions=_names(claims, "allowed_regions"),
            token_id=token_id,
            issued_at=issued_at,
            expires_at=expires_at,
        )

    def _identity(self, claims: dict[str, Any]) -> tuple[str, str]:
        """Subject and token id. Entra ID's `sub` differs from app to app: the person is `tid:oid`, never an e-mail."""
        if self._issuer.tenant_id is None:
            return _text(claims, "sub"), _text(claims, "jti")
        if _text(claims, "tid").lower() != self._issuer.tenant_id or claims["ver"] != "2.0":
            raise _refusal("The token is of another tenant or version")
        try:
            person = UUID(_text(claims, "oid"))
        except ValueError:
            raise _refusal("The token's `oid` is malformed") from None
        _text(claims, "azp")
        # A token without scopes acts for an application itself; those have `oid` and `sub` alike, or say it.
        if "scp" not in claims and claims.get("idtyp") != "app" and claims["sub"] != claims["oid"]:
            raise _refusal("The token has neither scopes nor an application's identity")
        return f"{self._issuer.tenant_id}:{person}", _text(claims, "uti")


def _key_id(token: str) -> str:
    """The id of the key to verify with, from a header (RFC 7515, section 4) that holds nothing unexpected."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise _refusal("The token is malformed") from None
    if header.get("alg") != "RS256":
        raise _refusal("The token is not signed with RS256")
    if str(header.get("typ", "JWT")).lower() not in _TYPES:
        raise _refusal("The token is of another type than an access token")
    if "crit" in header:
        raise _refusal("The token's header asks for an extension")
    key_id: object = header.get("kid")
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        raise _refusal("The token does not say which key it is signed with")
    return key_id


def _lifetime(claims: dict[str, Any], now: float) -> tuple[int, int]:
    """`iat` and `exp` in seconds since 1970, after checking them and `nbf` against `now`."""
    issued_at, not_before, expires_at = (_time(claims, name) for name in ("iat", "nbf", "exp"))
    if expires_at <= now - LEEWAY_SECONDS:
        raise _refusal("The token has expired")
    if max(issued_at, not_before) > now + LEEWAY_SECONDS:
        raise _refusal("The token is not valid yet")
    if expires_at - issued_at > LONGEST_LIFETIME_SECONDS:
        raise _refusal(f"The token is valid for more than {LONGEST_LIFETIME_SECONDS // 3_600} hours")
    return int(issued_at), int(expires_at)


def _time(claims: dict[str, Any], name: str) -> float:
    value: object = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**40:  # NaN is not in between
        raise _refusal(f"The token's `{name}` is not a time")
    return value


def _text(claims: dict[str, Any], name: str) -> str:
    value: object = claims[name]
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise _refusal(f"The token's `{name}` is not a text of 1 to 255 characters")
    return value


def _permissions(claims: dict[str, Any]) -> frozenset[str] | None:
    """The union of all claims that state permissions: `permissions`, `scp` (Entra ID) and `scope` (RFC 9068)."""
    claimed = (_names(claims, name, spaced=True) for name in ("permissions", "scp", "scope"))
    stated = [names for names in claimed if names is not None and (not names or not names <= _SIGN_IN_SCOPES)]
    return frozenset[str]().union(*stated) if stated else None


def _names(claims: dict[str, Any], name: str, *, spaced: bool = False) -> frozenset[str] | None:
    """A claim that lists texts (`spaced`: or holds them in one, separated by spaces); None when it is absent."""
    if name not in claims:
        return None
    value: object = claims[name]
    if spaced and isinstance(value, str):
        return frozenset(value.split())
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[object]", value)):
        raise _refusal(f"The token's `{name}` is not a list of texts")
    return frozenset(cast("list[str]", value))


def _refusal(message: str) -> AuthenticationError:
    return AuthenticationError(message, "Sign in again, or ask for a new token.", token_sent=True)
