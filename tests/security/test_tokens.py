"""Which tokens are let in, which are not, and with what answer: from a request's headers to the HTTP status."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import jwt
import pytest

from tests.loopback_issuer import CLIENT, PERSON, TENANT, LoopbackIssuer
from tests.sample_directory import SampleDirectory, ids
from tests.security.tokens import ENTRA_CASES, GENERIC_CASES, Case, bearer
from zava.errors import AuthenticationError, MCPError
from zava.platform import token_verifier
from zava.platform.identity import Principal
from zava.platform.jwks import COOLDOWN_SECONDS, JwksCache
from zava.platform.token_verifier import CACHED_SECONDS, JwtVerifier, TrustedIssuer
from zava.protocol.authentication import Authentication, ProtectedResource
from zava.protocol.http import HttpReply, error_reply
from zava.services.access import AccessRules

_RESOURCE = ProtectedResource("https://issuer.example", ("sales.read",), "https://zava.example")


@pytest.fixture(scope="module")
def issuer() -> Iterator[LoopbackIssuer]:
    with LoopbackIssuer() as running:
        yield running


def trusted(issuer: LoopbackIssuer) -> TrustedIssuer:
    return TrustedIssuer("zava-auth", "mcp-server", issuer.jwks_url)


def authentication(issuer: TrustedIssuer) -> Authentication:
    return Authentication(JwtVerifier(issuer, JwksCache(issuer.jwks_url)), AccessRules(SampleDirectory()))


@pytest.fixture(scope="module")
def generic(issuer: LoopbackIssuer) -> Authentication:
    return authentication(trusted(issuer))


@pytest.fixture(scope="module")
def entra(issuer: LoopbackIssuer) -> Authentication:
    authority = f"https://login.microsoftonline.com/{TENANT}/v2.0"
    return authentication(TrustedIssuer(authority, CLIENT, issuer.jwks_url, TENANT))


async def answer_to(headers: dict[str, str], door: Authentication) -> HttpReply | None:
    """What a refused request gets, in the product's own words; None when it is admitted."""
    try:
        await door.admit(headers)
    except MCPError as problem:
        return error_reply(problem, "0" * 32, headers, _RESOURCE.www_authenticate)
    return None


async def check(case: Case, door: Authentication, issuer: LoopbackIssuer) -> None:
    answer = await answer_to(case.headers(issuer), door)
    if answer is None:
        assert case.status == 200
        return
    assert answer.status == case.status, answer.body
    challenge = answer.headers.get("www-authenticate", "")
    assert challenge.startswith("Bearer ") == (case.status == 401 or "insufficient_scope" in challenge)
    assert ('error="invalid_token"' in challenge) == (case.status == 401 and case.sent)
    assert not re.search(r"eyJ|[\w-]{60}|ada@", f"{answer.body} {challenge}"), "the answer repeats what was sent"


@pytest.mark.parametrize("case", GENERIC_CASES, ids=lambda case: case.name)
async def test_a_token_of_the_generic_issuer(case: Case, generic: Authentication, issuer: LoopbackIssuer) -> None:
    await check(case, generic, issuer)


@pytest.mark.parametrize("case", ENTRA_CASES, ids=lambda case: case.name)
async def test_a_token_of_entra_id(case: Case, entra: Authentication, issuer: LoopbackIssuer) -> None:
    await check(case, entra, issuer)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        pytest.param({}, 503, id="a good token"),
        pytest.param({"kid": "key-404"}, 503, id="an unknown key id"),
        pytest.param({"alg": "none"}, 401, id="alg none"),
        pytest.param({"typ": "logout+jwt"}, 401, id="another type"),
        pytest.param({"kid": "key 1"}, 401, id="a malformed key id"),
    ],
)
async def test_while_no_keys_were_ever_had_a_token_is_not_judged_unless_its_header_is_enough(
    header: dict[str, str], status: int
) -> None:
    with LoopbackIssuer() as away:
        away.status = 503
        token = away.mint(header={name: value for name, value in header.items() if name != "alg"})
        if "alg" in header:
            token = jwt.encode({}, "", algorithm="none", headers={"kid": away.key_id})
        answer = await answer_to(bearer(token), authentication(trusted(away)))
        assert answer is not None
        assert answer.status == status
        assert ("retry-after" in answer.headers, "www-authenticate" in answer.headers) == (status == 503, status == 401)
        assert away.requests == (1 if status == 503 else 0)


async def test_text_that_is_no_text_is_refused_like_any_malformed_token(issuer: LoopbackIssuer) -> None:
    with pytest.raises(AuthenticationError, match="malformed"):
        await JwtVerifier(trusted(issuer), JwksCache(issuer.jwks_url)).verify("\udc80")


def test_no_two_cases_share_a_name() -> None:
    names = [case.name for case in (*GENERIC_CASES, *ENTRA_CASES)]
    assert len(names) == len(set(names))
    assert len(names) >= 40


async def test_a_principal_holds_what_the_token_says(issuer: LoopbackIssuer) -> None:
    now = int(time.time())
    token = issuer.mint(
        jti="1",
        iat=now,
        exp=now + 60,
        roles=["store_manager", "other"],
        scp="sales.read x",
        permissions=["products.read"],
        allowed_stores=["a"],
        allowed_regions=[],
    )
    assert await JwtVerifier(trusted(issuer), JwksCache(issuer.jwks_url)).verify(token) == Principal(
        issuer="zava-auth",
        subject="ada",
        roles=frozenset({"store_manager", "other"}),
        permissions=frozenset({"sales.read", "x", "products.read"}),
        allowed_stores=frozenset({"a"}),
        allowed_regions=frozenset(),
        token_id="1",
        issued_at=now,
        expires_at=now + 60,
    )


async def test_a_person_of_entra_id_is_known_by_tenant_and_object_id(
    entra: Authentication, issuer: LoopbackIssuer
) -> None:
    caller = await entra.admit(bearer(issuer.mint_entra()))
    assert (caller.principal.subject, caller.principal.token_id) == (f"{TENANT}:{PERSON}", "dGhlIGlkIG9mIGl0")
    assert caller.scope.store_ids == ids()


class TestRememberedTokens:
    """A verified token is not verified again for a minute; nothing that could end it is overlooked."""

    class Clock:
        def __init__(self) -> None:
            self.ahead = 0.0

        def __call__(self) -> float:
            return time.time() + self.ahead

    async def test_a_token_is_remembered_for_a_minute_and_then_verified_again(self) -> None:
        clock = self.Clock()
        with LoopbackIssuer() as own:
            keys = JwksCache(own.jwks_url, clock=clock)
            verifier = JwtVerifier(trusted(own), keys, clock)
            token = own.mint()
            principal = await verifier.verify(token)
            own.rotate(withdraw=True)
            clock.ahead += COOLDOWN_SECONDS
            assert await keys.key("key-2") is not None
            assert await verifier.verify(token) is principal
            clock.ahead += CACHED_SECONDS
            with pytest.raises(AuthenticationError):
                await verifier.verify(token)

    async def test_a_remembered_token_still_expires(self, issuer: LoopbackIssuer) -> None:
        clock = self.Clock()
        verifier = JwtVerifier(trusted(issuer), JwksCache(issuer.jwks_url), clock)
        now = int(time.time())
        token = issuer.mint(iat=now, nbf=now, exp=now + 100)
        clock.ahead = 155  # within the leeway: still accepted, and too late to be remembered
        await verifier.verify(token)
        clock.ahead = 165
        with pytest.raises(AuthenticationError, match="expired"):
            await verifier.verify(token)

    async def test_the_memory_is_bounded(self, issuer: LoopbackIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(token_verifier, "CACHED_TOKENS", 3)
        verifier = JwtVerifier(trusted(issuer), JwksCache(issuer.jwks_url))
        tokens = [issuer.mint() for _ in range(5)]
        for token in tokens:
            await verifier.verify(token)
        assert len(verifier._verified) == 3
        assert await verifier.verify(tokens[-1]) is await verifier.verify(tokens[-1])

    async def test_a_refusal_is_not_remembered(self, issuer: LoopbackIssuer) -> None:
        clock = self.Clock()
        verifier = JwtVerifier(trusted(issuer), JwksCache(issuer.jwks_url), clock)
        token = issuer.mint(nbf=int(time.time()) + 120)
        with pytest.raises(AuthenticationError, match="not valid yet"):
            await verifier.verify(token)
        assert len(verifier._verified) == 0
        clock.ahead = 90
        assert (await verifier.verify(token)).subject == "ada"
