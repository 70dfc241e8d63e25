"""Who may see what: from a verified principal to the stores of one call, and to what its tools may do.

| role               | may see                                   |
|--------------------|-------------------------------------------|
| `super_admin`      | every store                               |
| `regional_manager` | the stores of its `allowed_regions`       |
| `store_manager`    | its `allowed_stores`                      |
| none, or another   | nothing                                   |

Several roles see the union. A claim that the token does not carry is looked up among the grants; one that it carries
empty grants nothing. The header `x-rls-user-id` names one of these stores and only ever narrows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from zava.data.store_directory import Store
from zava.data.tenant_context import TenantScope
from zava.errors import AuthorizationError, InsufficientScopeError, ValidationError
from zava.platform.identity import (
    FULL_ACCESS_SCOPE,
    PERMISSIONS,
    REGIONAL_MANAGER,
    ROLES,
    STORE_MANAGER,
    SUPER_ADMIN,
    Principal,
)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_EVERYTHING = UUID(int=0)


class Directory(Protocol):
    """Which stores exist."""

    async def stores(self) -> Mapping[UUID, Store]: ...


class Grants(Protocol):
    """What was granted to a principal beside its token; asked only for a claim that the token does not carry."""

    async def stores_of(self, issuer: str, subject: str) -> frozenset[UUID]: ...

    async def regions_of(self, issuer: str, subject: str) -> frozenset[str]: ...


class AccessRules:
    """Decides which stores a call may see. Without `grants`, a claim that the token does not carry grants nothing."""

    def __init__(self, directory: Directory, grants: Grants | None = None) -> None:
        self._directory = directory
        self._grants = grants

    async def scope_of(self, principal: Principal, requested: str | None) -> TenantScope:
        """The stores a call may see.

        Args:
            requested: the header `x-rls-user-id`: the id of a store; None, empty or the all-zero id ask for all.

        Raises:
            AuthorizationError: the principal may see nothing, or not the requested store.
            InsufficientScopeError: its token states permissions, and none that Zava knows.
            ValidationError: the header holds something else.
            DatabaseUnavailableError: the stores cannot be read.
        """
        roles = principal.roles & ROLES
        if not roles:
            raise AuthorizationError("Your token has no role that Zava knows", f"Ask for one of: {_listed(ROLES)}.")
        permissions = permissions_of(principal)
        if not permissions:
            raise InsufficientScopeError(
                "Your token has no permission that Zava knows", f"Ask for one of: {_listed(PERMISSIONS)}."
            )
        chosen = _requested_store(requested)
        stores = await self._directory.stores()
        allowed: set[UUID] = set()
        if SUPER_ADMIN in roles:
            allowed.update(stores)
        if REGIONAL_MANAGER in roles:
            regions = await self._regions(principal)
            allowed.update(store_id for store_id, store in stores.items() if store.region in regions)
        if STORE_MANAGER in roles:
            allowed.update(await self._stores(principal) & stores.keys())
        if not allowed:
            raise AuthorizationError(
                "No store is granted to you", "Ask an administrator to grant you a store or a region."
            )
        if chosen is not None:
            if chosen not in allowed:  # the same answer whether that store exists or not
                raise AuthorizationError(
                    "You may not see the store in x-rls-user-id", "Leave the header out to see all that is yours."
                )
            allowed = {chosen}
        return TenantScope(frozenset(allowed), subject_hash(principal), roles | permissions)

    async def _regions(self, principal: Principal) -> frozenset[str]:
        if principal.allowed_regions is not None:
            return principal.allowed_regions
        return await self._grants.regions_of(principal.issuer, principal.subject) if self._grants else frozenset()

    async def _stores(self, principal: Principal) -> frozenset[UUID]:
        if principal.allowed_stores is not None:
            return frozenset(UUID(text) for text in principal.allowed_stores if _UUID.fullmatch(text))
        return await self._grants.stores_of(principal.issuer, principal.subject) if self._grants else frozenset()


def permissions_of(principal: Principal) -> frozenset[str]:
    """What the principal's tools may do: what its token states, or all of it when it states nothing."""
    if principal.permissions is None or FULL_ACCESS_SCOPE in principal.permissions:
        return PERMISSIONS
    return principal.permissions & PERMISSIONS


def subject_hash(principal: Principal) -> str:
    """Who is calling, in a form that names nobody; the issuer is part of it, since subjects are unique only there."""
    return hashlib.sha256(f"{principal.issuer}\n{principal.subject}".encode()).hexdigest()


def _requested_store(header: str | None) -> UUID | None:
    text = (header or "").strip()
    if not text:
        return None
    # Stricter than Python's UUID, which takes braces, URNs and misplaced hyphens.
    if not _UUID.fullmatch(text):
        raise ValidationError("The header x-rls-user-id must be the id of one store", "Send a UUID, or leave it out.")
    store_id = UUID(text)
    return None if store_id == _EVERYTHING else store_id


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
