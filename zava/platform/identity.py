"""Who is calling: the principal a verified token stands for, and the seam behind which tokens are verified.

Here, too, are the names that tokens use for roles and permissions: what issues tokens and what reads them must agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

SUPER_ADMIN = "super_admin"
REGIONAL_MANAGER = "regional_manager"
STORE_MANAGER = "store_manager"
ROLES = frozenset({SUPER_ADMIN, REGIONAL_MANAGER, STORE_MANAGER})

READ_SALES = "sales.read"
READ_PRODUCTS = "products.read"
PERMISSIONS = frozenset({READ_SALES, READ_PRODUCTS})
FULL_ACCESS_SCOPE = "mcp.access"
"""The scope of an app registration in Entra ID that stands for all permissions."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose token verified.

    `permissions`, `allowed_stores` and `allowed_regions` are None when the token does not carry the claim at all, and
    empty when it carries an empty one: the first falls back to the role's default and to the grants table, the second
    is nobody (design, section 5).
    """

    issuer: str
    subject: str
    roles: frozenset[str]
    permissions: frozenset[str] | None
    allowed_stores: frozenset[str] | None
    allowed_regions: frozenset[str] | None
    token_id: str
    issued_at: int
    expires_at: int


class TokenVerifier(Protocol):
    """Turns a bearer token into a principal."""

    async def verify(self, token: str) -> Principal:
        """Return the token's principal.

        Raises:
            AuthenticationError: the token is malformed, expired, foreign or not signed by the issuer.
            ServiceUnavailableError: the issuer's keys cannot be had, so nothing can be said about the token.
        """
        ...
