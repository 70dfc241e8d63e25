"""The key cache against an issuer on loopback: it asks rarely, never waits without need, and survives outages."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.clock import Clock
from tests.loopback_issuer import LoopbackIssuer, private_key, public_jwk
from zava.errors import AuthenticationError, ServiceUnavailableError
from zava.platform import jwks
from zava.platform.jwks import (
    COOLDOWN_SECONDS,
    FRESH_SECONDS,
    MAX_BYTES,
    STALE_SECONDS,
    WITHOUT_KEYS_SECONDS,
    JwksCache,
)
from zava.platform.token_verifier import JwtVerifier, TrustedIssuer

_TOO_LARGE = json.dumps({"keys": [public_jwk(private_key(1), "key-1")], "padding": "x" * MAX_BYTES}).encode()
"""Nothing else is wrong with it."""


@pytest.fixture
def issuer() -> Iterator[LoopbackIssuer]:
    with LoopbackIssuer() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000.0)


@pytest.fixture
def cache(issuer: LoopbackIssuer, clock: Clock) -> JwksCache:
    return JwksCache(issuer.jwks_url, clock=clock)


async def test_the_keys_are_fetched_once_and_kept(cache: JwksCache, issuer: LoopbackIssuer) -> None:
    first, second = await cache.key("key-1"), await cache.key("key-1")
    assert first is not None
    assert first is second
    assert first.public_numbers() == issuer.key.public_key().public_numbers()
    assert issuer.requests == 1


async def test_fifty_first_calls_at_once_cause_one_fetch(cache: JwksCache, issuer: LoopbackIssuer) -> None:
    keys = await asyncio.gather(*(cache.key("key-1") for _ in range(50)))
    assert None not in keys
    assert issuer.requests == 1


async def test_two_hundred_tokens_with_unknown_key_ids_cause_one_fetch(
    cache: JwksCache, issuer: LoopbackIssuer
) -> None:
    verifier = JwtVerifier(TrustedIssuer("zava-auth", "mcp-server", issuer.jwks_url), cache)
    tokens = [issuer.mint(header={"kid": f"invented-{number}"}) for number in range(200)]
    outcomes = await asyncio.gather(*(verifier.verify(token) for token in tokens), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {AuthenticationError}
    assert issuer.requests == 1
    assert (await verifier.verify(issuer.mint())).subject == "ada"
    assert issuer.requests == 1


async def test_a_new_key_is_found_once_the_cooldown_is_over(
    cache: JwksCache, issuer: LoopbackIssuer, clock: Clock
) -> None:
    await cache.key("key-1")
    issuer.rotate()
    clock.now += COOLDOWN_SECONDS - 1
    assert await cache.key("key-2") is None
    assert issuer.requests == 1
    clock.now += 1
    assert await cache.key("key-2") is not None
    assert issuer.requests == 2


async def test_old_keys_serve_while_new_ones_are_fetched_in_the_background(
    cache: JwksCache, issuer: LoopbackIssuer, clock: Clock
) -> None:
    await cache.key("key-1")
    issuer.rotate(withdraw=True)
    issuer.may_answer.clear()
    issuer.asked.clear()
    clock.now += FRESH_SECONDS
    assert await cache.key("key-1") is not None
    assert await asyncio.to_thread(issuer.asked.wait, 10)  # the issuer was asked, and has not answered yet
    assert await cache.key("key-1") is not None
    issuer.may_answer.set()
    assert await cache.key("key-2") is not None  # joins the fetch under way
    assert await cache.key("key-1") is None
    assert issuer.requests == 2


async def test_an_outage_leaves_the_keys_usable_for_a_day(
    cache: JwksCache, issuer: LoopbackIssuer, clock: Clock
) -> None:
    await cache.key("key-1")
    issuer.status = 503
    clock.now += STALE_SECONDS - 1
    assert await cache.key("key-1") is not None
    clock.now += 1
    with pytest.raises(ServiceUnavailableError):
        await cache.key("key-1")
    issuer.status = 200
    clock.now += WITHOUT_KEYS_SECONDS
    assert await cache.key("key-1") is not None


async def test_an_issuer_that_never_answered_is_asked_again_after_three_seconds(
    cache: JwksCache, issuer: LoopbackIssuer, clock: Clock
) -> None:
    issuer.status = 503
    for _ in range(50):
        with pytest.raises(ServiceUnavailableError) as caught:
            await cache.key("key-1")
        assert caught.value.retry_after == WITHOUT_KEYS_SECONDS
    assert issuer.requests == 1
    issuer.status = 200
    clock.now += WITHOUT_KEYS_SECONDS
    assert await cache.key("key-1") is not None
    assert issuer.requests == 2


async def test_nothing_is_said_about_a_new_key_id_while_the_issuer_is_away(
    cache: JwksCache, issuer: LoopbackIssuer, clock: Clock
) -> None:
    await cache.key("key-1")
    issuer.rotate()
    issuer.status = 503
    clock.now += COOLDOWN_SECONDS
    for waiting in (COOLDOWN_SECONDS, COOLDOWN_SECONDS - 20):
        with pytest.raises(ServiceUnavailableError) as caught:
            await cache.key("key-2")
        assert caught.value.retry_after == waiting
        clock.now += 20
    assert await cache.key("key-1") is not None
    assert issuer.requests == 2


async def test_a_slow_issuer_is_not_waited_for_longer_than_the_limit(issuer: LoopbackIssuer, clock: Clock) -> None:
    issuer.may_answer.clear()
    cache = JwksCache(issuer.jwks_url, clock=clock, timeout=0.1)
    with pytest.raises(ServiceUnavailableError):
        await asyncio.wait_for(cache.key("key-1"), 3)


async def test_a_caller_that_gives_up_does_not_stop_the_fetch_others_wait_for(
    cache: JwksCache, issuer: LoopbackIssuer
) -> None:
    issuer.may_answer.clear()
    impatient, patient = asyncio.create_task(cache.key("key-1")), asyncio.create_task(cache.key("key-1"))
    assert await asyncio.to_thread(issuer.asked.wait, 10)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    issuer.may_answer.set()
    assert await patient is not None
    assert issuer.requests == 1


async def test_a_redirect_is_not_followed(cache: JwksCache, issuer: LoopbackIssuer) -> None:
    issuer.status = 302
    with pytest.raises(ServiceUnavailableError):
        await cache.key("key-1")
    assert issuer.requests == 1


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(_TOO_LARGE, id="too large"),
        pytest.param(b"<html>", id="no JSON"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[" * 100_000, id="nested too deeply"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"keys": {}}', id="keys that are no list"),
        pytest.param(b'{"keys": []}', id="no key"),
        pytest.param(b'{"keys": [1, null, "x", {}]}', id="no usable key"),
    ],
)
async def test_a_bad_document_is_an_outage_and_does_not_replace_good_keys(
    cache: JwksCache, issuer: LoopbackIssuer, clock: Clock, document: bytes
) -> None:
    good = await cache.key("key-1")
    issuer.document = document
    clock.now += COOLDOWN_SECONDS
    with pytest.raises(ServiceUnavailableError):
        await cache.key("key-2")
    assert issuer.requests == 2
    assert await cache.key("key-1") is good


async def test_keys_come_from_a_file_whose_path_holds_a_space(tmp_path: Path, issuer: LoopbackIssuer) -> None:
    folder = tmp_path / "a data folder"
    folder.mkdir()
    file = folder / "jwks.json"
    file.write_bytes(issuer.jwks())
    assert await JwksCache(file.as_uri()).key("key-1") is not None


@pytest.mark.parametrize("content", [None, _TOO_LARGE], ids=["missing", "too large"])
async def test_a_file_without_keys_is_an_outage(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "jwks.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ServiceUnavailableError):
        await JwksCache(file.as_uri()).key("key-1")


async def test_without_an_issuer_every_token_is_answered_with_unavailable() -> None:
    with pytest.raises(ServiceUnavailableError):
        await JwksCache("").key("key-1")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure_issuer(authority: trustme.CA) -> Iterator[LoopbackIssuer]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with LoopbackIssuer(tls) as running:
        yield running


async def test_keys_come_over_tls(
    secure_issuer: LoopbackIssuer, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert await JwksCache(secure_issuer.jwks_url).key("key-1") is not None


async def test_an_issuer_with_a_certificate_nobody_trusts_is_not_believed(secure_issuer: LoopbackIssuer) -> None:
    with pytest.raises(ServiceUnavailableError):
        await JwksCache(secure_issuer.jwks_url).key("key-1")
    assert secure_issuer.requests == 0


class TestAnotherEventLoop:
    """A Functions worker and tests may run calls on loops that come and go."""

    def test_keys_outlive_the_loop_they_were_fetched_on(
        self, cache: JwksCache, issuer: LoopbackIssuer, clock: Clock
    ) -> None:
        assert asyncio.run(cache.key("key-1")) is not None
        issuer.rotate()
        clock.now += COOLDOWN_SECONDS
        assert asyncio.run(cache.key("key-2")) is not None
        assert issuer.requests == 2

    def test_a_fetch_that_died_with_its_loop_does_not_block_the_next(
        self, cache: JwksCache, issuer: LoopbackIssuer
    ) -> None:
        async def leave_while_fetching() -> None:
            waiting = asyncio.create_task(cache.key("key-1"))
            assert await asyncio.to_thread(issuer.asked.wait, 10)
            assert not waiting.done()

        issuer.may_answer.clear()
        asyncio.run(leave_while_fetching())
        issuer.may_answer.set()
        assert asyncio.run(cache.key("key-1")) is not None

    def test_a_fetch_left_behind_on_a_closed_loop_is_not_waited_for(
        self, cache: JwksCache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started = asyncio.Event()

        async def never(_url: str) -> bytes:
            started.set()
            await asyncio.get_running_loop().create_future()
            raise AssertionError

        async def begin() -> asyncio.Task[Any]:
            waiting = asyncio.create_task(cache.key("key-1"))
            await started.wait()
            return waiting

        abandoned = asyncio.new_event_loop()
        abandoned.set_exception_handler(lambda _loop, _context: None)  # it would complain of what is meant here
        with monkeypatch.context() as held:
            held.setattr(jwks, "_document", never)
            waiting = abandoned.run_until_complete(begin())
            abandoned.close()  # unlike `asyncio.run`, it leaves the fetch pending for ever
        assert not waiting.done()
        assert asyncio.run(cache.key("key-1")) is not None
