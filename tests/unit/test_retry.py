"""Repetition after a passing failure: how often, after which waits, and when not."""

from __future__ import annotations

import time
from collections.abc import Iterable

import asyncpg
import pytest

from zava.data.repeated_read import is_passing
from zava.errors import DatabaseUnavailableError, IsolationError, QueryTimeoutError
from zava.platform.breaker import CircuitOpenError
from zava.platform.retry import FIRST_WAIT_SECONDS, repeated


class _Work:
    """Fails as the list says, then answers; counts how often it was done."""

    def __init__(self, failures: Iterable[Exception]) -> None:
        self._failures = list(failures)
        self.attempts = 0
        self.waits: list[float] = []

    async def __call__(self) -> str:
        self.attempts += 1
        if self._failures:
            raise self._failures.pop(0)
        return "answer"

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def run(self, *, seconds: float = 60.0) -> str:
        deadline = time.monotonic() + seconds
        return await repeated(self, lambda problem: isinstance(problem, OSError), deadline=deadline, sleep=self.sleep)


async def test_the_third_attempt_is_the_last_and_the_waits_double() -> None:
    work = _Work([OSError("one"), OSError("two")])
    assert await work.run() == "answer"
    assert work.attempts == 3
    for number, wait in enumerate(work.waits):
        assert FIRST_WAIT_SECONDS * 2**number / 2 <= wait <= FIRST_WAIT_SECONDS * 2**number

    work = _Work([OSError("one"), OSError("two"), OSError("three")])
    with pytest.raises(OSError, match="three"):
        await work.run()
    assert work.attempts == 3


async def test_callers_that_failed_together_come_back_apart() -> None:
    works = [_Work([OSError()]) for _ in range(20)]
    for work in works:
        await work.run()
    assert len({work.waits[0] for work in works}) == 20


async def test_what_will_not_pass_is_not_repeated() -> None:
    work = _Work([ValueError()])
    with pytest.raises(ValueError):
        await work.run()
    assert (work.attempts, work.waits) == (1, [])


async def test_nothing_is_repeated_that_could_only_begin_after_the_deadline() -> None:
    work = _Work([OSError("one")])
    with pytest.raises(OSError, match="one"):
        await work.run(seconds=FIRST_WAIT_SECONDS / 4)
    assert (work.attempts, work.waits) == (1, [])


def _postgresql(code: str) -> Exception:
    return asyncpg.PostgresError.new({"C": code, "M": "a message"})


def _unavailable(cause: Exception) -> Exception:
    problem = DatabaseUnavailableError("The database cannot be reached at the moment.")
    problem.__cause__ = cause
    return problem


_PASSING = {
    "connection cut in the middle of an operation": asyncpg.ConnectionDoesNotExistError("gone"),
    "connection closed before its use": asyncpg.InterfaceError("connection is closed"),
    "farewell at the moment of the next use": asyncpg.InternalClientError("got an unexpected message"),
    "connection refused": ConnectionRefusedError(),
    "connection reset": ConnectionResetError(),
    "ended by an administrator": _postgresql("57P01"),
    "ended by a crash": _postgresql("57P02"),
    "starting up": _postgresql("57P03"),
    "no connection free": _postgresql("53300"),
    "undone by a serialization failure": _postgresql("40001"),
    "undone by a deadlock": _postgresql("40P01"),
}
_LASTING = {
    "wrong SQL": _postgresql("42601"),
    "limit of time": _postgresql("57014"),
    "disk full": _postgresql("53100"),
    "out of memory": _postgresql("53200"),
    "wrong password": _postgresql("28P01"),
    "lock not to be had": _postgresql("55P03"),
    "connecting took too long": TimeoutError(),
    "circuit open": CircuitOpenError("the database", 1.0),
}


@pytest.mark.parametrize("problem", _PASSING.values(), ids=_PASSING)
def test_these_pass(problem: Exception) -> None:
    assert (is_passing(problem), is_passing(_unavailable(problem))) == (True, True)


@pytest.mark.parametrize("problem", _LASTING.values(), ids=_LASTING)
def test_these_do_not(problem: Exception) -> None:
    assert (is_passing(problem), is_passing(_unavailable(problem))) == (False, False)


@pytest.mark.parametrize("error", [IsolationError("not confirmed"), QueryTimeoutError("too long")])
def test_no_other_error_is_repeated_even_if_a_connection_broke_before_it(error: Exception) -> None:
    error.__cause__ = ConnectionResetError()
    assert not is_passing(error)
