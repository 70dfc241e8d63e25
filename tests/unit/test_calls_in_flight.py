"""One caller may have a few calls running, and others are not disturbed by it."""

from __future__ import annotations

import asyncio

import pytest

from zava.errors import BusyError
from zava.services.calls_in_flight import CallsInFlight


async def test_the_call_beyond_the_limit_is_busy_and_another_caller_is_not() -> None:
    calls = CallsInFlight(2, patience_seconds=0.01)
    async with calls.one_more("a"), calls.one_more("a"):
        with pytest.raises(BusyError) as caught:
            async with calls.one_more("a"):
                raise AssertionError("a third call must not run")
        assert caught.value.retryable
        async with calls.one_more("b"):
            pass


async def test_calls_sent_together_wait_for_each_other_when_they_are_short() -> None:
    calls = CallsInFlight(2)
    running: list[int] = []

    async def short() -> None:
        async with calls.one_more("a"):
            running.append(running[-1] + 1 if running else 1)
            await asyncio.sleep(0)
            running.append(running[-1] - 1)

    await asyncio.gather(*(short() for _ in range(20)))
    assert (len(running), max(running), running[-1]) == (40, 2, 0)


async def test_a_call_that_ends_makes_room_even_when_it_fails() -> None:
    calls = CallsInFlight(1, patience_seconds=0.01)
    for _ in range(3):
        with pytest.raises(KeyError):
            async with calls.one_more("a"):
                raise KeyError("the call failed")
    async with calls.one_more("a"):
        pass


async def test_a_call_that_is_given_up_while_it_waits_takes_no_place() -> None:
    calls = CallsInFlight(1)
    async with calls.one_more("a"):
        waiting = asyncio.ensure_future(calls.one_more("a").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with calls.one_more("a"):
        pass
    assert calls._callers == {}


async def test_a_caller_without_calls_takes_no_memory() -> None:
    calls = CallsInFlight(1)
    async with calls.one_more("a"):
        pass
    assert calls._callers == {}
