"""The circuit breaker: when it opens, whom it lets through, and what counts."""

from __future__ import annotations

import asyncio

import pytest

from tests.clock import Clock
from zava.platform.breaker import CircuitBreaker, CircuitOpenError


class Away(Exception):  # noqa: N818
    """The failure that counts."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("it", Away, failures=3, open_seconds=60, clock=clock)


async def _fail() -> str:
    raise Away


async def _answer() -> str:
    return "answer"


async def _fail_times(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Away):
            await breaker.call(_fail)


async def test_it_opens_after_the_last_failure_in_a_row_and_then_asks_nobody(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    await _fail_times(breaker, 2)
    assert await breaker.call(_answer) == "answer"  # a success in between starts the count anew
    await _fail_times(breaker, 3)
    clock.now = 20
    with pytest.raises(CircuitOpenError, match="it is taken to be away for another 40 s") as caught:
        await breaker.call(_answer)
    assert (caught.value.retry_after, breaker.state) == (40, "open")


async def test_what_says_nothing_neither_opens_it_nor_shows_that_the_callee_is_alive(clock: Clock) -> None:
    class NotAsked(Away):
        """The callee was not asked yet."""

    async def not_asked() -> str:
        raise NotAsked

    breaker = CircuitBreaker("it", Away, says_nothing=(NotAsked,), failures=3, clock=clock)
    await _fail_times(breaker, 2)
    for _ in range(5):
        with pytest.raises(NotAsked):
            await breaker.call(not_asked)
    assert breaker.state == "closed"
    await _fail_times(breaker, 1)
    assert breaker.state == "open"


async def test_after_the_wait_one_call_of_many_goes_through_and_its_success_closes_the_circuit(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    await _fail_times(breaker, 3)
    clock.now = 60
    gate = asyncio.Event()

    async def slow() -> str:
        await gate.wait()
        return "answer"

    calls = [asyncio.ensure_future(breaker.call(slow)) for _ in range(5)]
    await asyncio.sleep(0)
    gate.set()
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in ends] == [str, *[CircuitOpenError] * 4]
    assert breaker.state == "closed"


async def test_a_probe_that_fails_opens_the_circuit_for_as_long_again(breaker: CircuitBreaker, clock: Clock) -> None:
    await _fail_times(breaker, 3)
    clock.now = 70
    await _fail_times(breaker, 1)
    clock.now = 129
    with pytest.raises(CircuitOpenError):
        await breaker.call(_answer)
    clock.now = 130
    assert await breaker.call(_answer) == "answer"


async def test_a_probe_whose_caller_gives_up_leaves_the_next_one_to_find_out(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    await _fail_times(breaker, 3)
    clock.now = 60
    probe = asyncio.ensure_future(breaker.call(asyncio.Event().wait))
    await asyncio.sleep(0)
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    assert breaker.state == "half-open"
    assert await breaker.call(_answer) == "answer"


async def test_what_is_no_failure_shows_that_it_is_alive(breaker: CircuitBreaker) -> None:
    async def refuse() -> str:
        raise ValueError("not this")

    for _ in range(2):
        await _fail_times(breaker, 2)
        with pytest.raises(ValueError, match="not this"):
            await breaker.call(refuse)
    assert breaker.state == "closed"


async def test_calls_that_began_before_it_opened_neither_close_it_nor_keep_it_open(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    gate = asyncio.Event()

    async def late(fails: bool) -> str:
        await gate.wait()
        if fails:
            raise Away
        return "late"

    early = [asyncio.ensure_future(breaker.call(lambda fails=fails: late(fails))) for fails in (False, True)]
    await asyncio.sleep(0)
    await _fail_times(breaker, 3)
    clock.now = 30
    gate.set()
    await asyncio.gather(*early, return_exceptions=True)
    assert breaker.state == "open"
    clock.now = 60
    assert breaker.state == "half-open"
