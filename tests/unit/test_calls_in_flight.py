"""One caller may have a few calls running, and others are not disturbed by it."""

from __future__ import annotations

import pytest

from zava.errors import BusyError
from zava.services.calls_in_flight import CallsInFlight


def test_the_call_beyond_the_limit_is_busy_and_another_caller_is_not() -> None:
    calls = CallsInFlight(2)
    with calls.one_more("a"), calls.one_more("a"):
        with pytest.raises(BusyError) as caught, calls.one_more("a"):
            raise AssertionError("a third call must not run")
        assert caught.value.retryable
        with calls.one_more("b"):
            pass


def test_a_call_that_ends_makes_room_even_when_it_fails() -> None:
    calls = CallsInFlight(1)
    for _ in range(3):
        with pytest.raises(KeyError), calls.one_more("a"):
            raise KeyError("the call failed")
    with calls.one_more("a"):
        pass


def test_a_caller_without_calls_takes_no_memory() -> None:
    calls = CallsInFlight(1)
    with calls.one_more("a"):
        pass
    assert calls._running == {}
