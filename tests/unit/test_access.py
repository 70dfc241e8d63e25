"""Roles, claims, grants and the narrowing header: who sees which stores (design, section 5)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import pytest

from tests.sample_directory import SampleDirectory, ids
from zava.data.store_directory import Store
from zava.data.tenant_context import TenantScope
from zava.errors import AuthorizationError, InsufficientScopeError, MCPError, ValidationError
from zava.platform.identity import ROLES, Principal
from zava.services.access import PERMISSIONS, AccessRules, permissions_of

SEATTLE = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
TACOMA = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
SPOKANE = "d8e9f0a1-b2c3-4567-8901-234567890abc"
NOWHERE = "99999999-9999-4999-8999-999999999999"
ALL_ZERO = "00000000-0000-0000-0000-000000000000"
PUGET_SOUND = ids("seattle", "bellevue", "tacoma", "everett", "redmond", "kirkland")


def principal(
    *roles: str, stores: list[str] | None = None, regions: list[str] | None = None, permissions: str = ""
) -> Principal:
    return Principal(
        issuer="zava-auth",
        subject="ada",
        roles=frozenset(roles),
        permissions=frozenset(permissions.split()) if permissions else None,
        allowed_stores=None if stores is None else frozenset(stores),
        allowed_regions=None if regions is None else frozenset(regions),
        token_id="1",
        issued_at=0,
        expires_at=1,
    )


ADMIN = principal("super_admin")
REGIONAL = principal("regional_manager", regions=["puget-sound"])
MANAGER = principal("store_manager", stores=[SEATTLE])


@pytest.mark.parametrize(
    ("who", "header", "expected"),
    [
        pytest.param(ADMIN, None, ids(), id="head office sees every store"),
        pytest.param(ADMIN, "", ids(), id="head office, empty header"),
        pytest.param(ADMIN, "  ", ids(), id="head office, blank header"),
        pytest.param(ADMIN, ALL_ZERO, ids(), id="head office, all-zero header"),
        pytest.param(ADMIN, SPOKANE, ids("spokane"), id="head office narrows to any store"),
        pytest.param(ADMIN, SPOKANE.upper(), ids("spokane"), id="head office, header in upper case"),
        pytest.param(ADMIN, f" {SPOKANE} ", ids("spokane"), id="head office, spaces around the header"),
        pytest.param(ADMIN, NOWHERE, AuthorizationError, id="head office, a store that does not exist"),
        pytest.param(
            replace(ADMIN, allowed_stores=frozenset()), None, ids(), id="head office, empty stores change nothing"
        ),
        pytest.param(REGIONAL, None, PUGET_SOUND, id="a region"),
        pytest.param(REGIONAL, ALL_ZERO, PUGET_SOUND, id="a region, all-zero header"),
        pytest.param(REGIONAL, TACOMA, ids("tacoma"), id="a region narrows to one of its stores"),
        pytest.param(REGIONAL, SPOKANE, AuthorizationError, id="a region, a store of another region"),
        pytest.param(
            principal("regional_manager", regions=["online", "eastern-washington"]),
            None,
            ids("online", "spokane"),
            id="two regions",
        ),
        pytest.param(
            principal("regional_manager", regions=["oregon", "online"]),
            None,
            ids("online"),
            id="an unknown region grants nothing",
        ),
        pytest.param(
            principal("regional_manager", regions=["oregon"]), None, AuthorizationError, id="an unknown region only"
        ),
        pytest.param(
            principal("regional_manager", regions=["Puget-Sound"]),
            None,
            AuthorizationError,
            id="a region in another case",
        ),
        pytest.param(principal("regional_manager", regions=[]), None, AuthorizationError, id="empty regions"),
        pytest.param(principal("regional_manager"), None, AuthorizationError, id="regions not claimed"),
        pytest.param(
            principal("regional_manager", stores=[SEATTLE]),
            None,
            AuthorizationError,
            id="stores do not help a regional manager",
        ),
        pytest.param(MANAGER, None, ids("seattle"), id="a store"),
        pytest.param(MANAGER, ALL_ZERO, ids("seattle"), id="a store, all-zero header"),
        pytest.param(MANAGER, SEATTLE, ids("seattle"), id="a store names itself"),
        pytest.param(MANAGER, TACOMA, AuthorizationError, id="a store names another"),
        pytest.param(MANAGER, NOWHERE, AuthorizationError, id="a store names none"),
        pytest.param(
            principal("store_manager", stores=[SEATTLE.upper()]), None, ids("seattle"), id="a store in upper case"
        ),
        pytest.param(
            principal("store_manager", stores=[SEATTLE, TACOMA]), None, ids("seattle", "tacoma"), id="two stores"
        ),
        pytest.param(
            principal("store_manager", stores=[SEATTLE, TACOMA]), TACOMA, ids("tacoma"), id="two stores narrow to one"
        ),
        pytest.param(
            principal(
                "store_manager",
                stores=[SEATTLE, NOWHERE, ALL_ZERO, "tacoma", "", "*", f"{{{TACOMA}}}", TACOMA[:-1], "x" * 36],
            ),
            None,
            ids("seattle"),
            id="malformed and unknown stores grant nothing",
        ),
        pytest.param(
            principal("store_manager", stores=[ALL_ZERO]),
            None,
            AuthorizationError,
            id="the all-zero store grants nothing",
        ),
        pytest.param(
            principal("store_manager", stores=[NOWHERE]), NOWHERE, AuthorizationError, id="a store that does not exist"
        ),
        pytest.param(principal("store_manager", stores=[]), None, AuthorizationError, id="empty stores"),
        pytest.param(principal("store_manager"), None, AuthorizationError, id="stores not claimed"),
        pytest.param(
            principal("store_manager", regions=["online"]),
            None,
            AuthorizationError,
            id="regions do not help a store manager",
        ),
        pytest.param(
            principal("regional_manager", "store_manager", regions=["online"], stores=[SEATTLE]),
            None,
            ids("online", "seattle"),
            id="two roles see the union",
        ),
        pytest.param(
            principal("regional_manager", "store_manager", regions=[], stores=[SEATTLE]),
            None,
            ids("seattle"),
            id="one of two roles grants",
        ),
        pytest.param(
            principal("super_admin", "store_manager", stores=[SEATTLE]), None, ids(), id="head office and a store"
        ),
        pytest.param(principal(stores=[SEATTLE]), None, AuthorizationError, id="no role"),
        pytest.param(principal("clerk", stores=[SEATTLE]), None, AuthorizationError, id="an unknown role"),
        pytest.param(
            principal("clerk", stores=[SEATTLE]), SEATTLE, AuthorizationError, id="an unknown role and a header"
        ),
        pytest.param(
            principal("clerk", "store_manager", stores=[SEATTLE]),
            None,
            ids("seattle"),
            id="an unknown role beside a known one",
        ),
        pytest.param(principal("clerk"), "not an id", AuthorizationError, id="an unknown role and a malformed header"),
        *(
            pytest.param(ADMIN, header, ValidationError, id=f"malformed header: {header}")
            for header in (
                "seattle",
                "*",
                "0",
                SEATTLE[:-1],
                f"{SEATTLE}0",
                f"{{{SEATTLE}}}",
                f"urn:uuid:{SEATTLE}",
                SEATTLE.replace("-", ""),
                f"{SEATTLE},{TACOMA}",
                f"{SEATTLE}\n{TACOMA}",
                "f47ac10b-58cc-4372-a567-0e02b2c3d47\u0669",  # a digit, though not an ASCII one
            )
        ),
    ],
)
async def test_what_a_caller_may_see(who: Principal, header: str | None, expected: Any) -> None:
    rules = AccessRules(SampleDirectory())
    if isinstance(expected, frozenset):
        stores = cast("frozenset[UUID]", expected)
        rights = who.roles & ROLES | permissions_of(who)
        subject = hashlib.sha256(b"zava-auth\nada").hexdigest()
        assert await rules.scope_of(who, header) == TenantScope(stores, subject, rights)
    else:
        with pytest.raises(MCPError) as refusal:
            await rules.scope_of(who, header)
        assert type(refusal.value) is expected


async def test_a_foreign_store_and_one_that_does_not_exist_get_the_same_answer() -> None:
    answers: list[dict[str, str]] = []
    for header in (TACOMA, NOWHERE):
        with pytest.raises(AuthorizationError) as refusal:
            await AccessRules(SampleDirectory()).scope_of(MANAGER, header)
        answers.append(refusal.value.as_dict())
    assert answers[0] == answers[1]


async def test_the_same_subject_of_two_issuers_is_two_callers() -> None:
    rules = AccessRules(SampleDirectory())
    ours, theirs = [await rules.scope_of(who, None) for who in (ADMIN, replace(ADMIN, issuer="https://other.example"))]
    assert ours.subject != theirs.subject


async def test_nobody_sees_anything_while_no_store_exists() -> None:
    class Empty:
        async def stores(self) -> Mapping[UUID, Store]:
            return {}

    with pytest.raises(AuthorizationError):
        await AccessRules(Empty()).scope_of(ADMIN, None)


class TestGrants:
    """Grants stand in for a claim that the token does not carry, and only for that."""

    class Granted:
        async def stores_of(self, issuer: str, subject: str) -> frozenset[UUID]:
            return (
                frozenset({UUID(SEATTLE), UUID(NOWHERE)}) if (issuer, subject) == ("zava-auth", "ada") else frozenset()
            )

        async def regions_of(self, issuer: str, subject: str) -> frozenset[str]:
            return frozenset({"online"}) if (issuer, subject) == ("zava-auth", "ada") else frozenset()

    @pytest.mark.parametrize(
        ("who", "expected"),
        [
            pytest.param(principal("store_manager"), ids("seattle"), id="stores"),
            pytest.param(principal("regional_manager"), ids("online"), id="regions"),
            pytest.param(principal("store_manager", "regional_manager"), ids("seattle", "online"), id="both"),
            pytest.param(principal("store_manager", stores=[TACOMA]), ids("tacoma"), id="a claim wins over a grant"),
            pytest.param(principal("store_manager", stores=[]), None, id="an empty claim is nobody"),
            pytest.param(principal("regional_manager", regions=[]), None, id="an empty region claim is nobody"),
            pytest.param(replace(principal("store_manager"), subject="eve"), None, id="another subject"),
            pytest.param(
                replace(principal("store_manager"), issuer="https://other.example"), None, id="another issuer"
            ),
            pytest.param(principal("clerk"), None, id="no known role"),
        ],
    )
    async def test_a_missing_claim_is_looked_up(self, who: Principal, expected: frozenset[UUID] | None) -> None:
        rules = AccessRules(SampleDirectory(), self.Granted())
        if expected is None:
            with pytest.raises(AuthorizationError):
                await rules.scope_of(who, None)
        else:
            assert (await rules.scope_of(who, None)).store_ids == expected


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        pytest.param("", PERMISSIONS, id="none: the role's default"),
        pytest.param("sales.read", {"sales.read"}, id="one"),
        pytest.param("sales.read products.read", PERMISSIONS, id="both"),
        pytest.param("products.read payroll.read", {"products.read"}, id="one beside another API's"),
        pytest.param("payroll.read", set(), id="another API's only"),
        pytest.param("SALES.READ", set(), id="in another case"),
        pytest.param("mcp.access", PERMISSIONS, id="the scope for everything"),
    ],
)
def test_permissions_are_what_the_token_states(stated: str, expected: set[str]) -> None:
    assert permissions_of(principal("store_manager", permissions=stated)) == expected


async def test_a_token_without_a_known_permission_is_refused_with_what_would_help() -> None:
    with pytest.raises(InsufficientScopeError, match="no permission") as refusal:
        await AccessRules(SampleDirectory()).scope_of(principal("super_admin", permissions="payroll.read"), None)
    assert refusal.value.hint == "Ask for one of: products.read, sales.read."
