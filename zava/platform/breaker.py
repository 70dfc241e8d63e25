"""A circuit breaker: while something is known to be away, callers learn it at once instead of waiting for it again."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from zava.platform import telemetry

T = TypeVar("T")


class CircuitOpenError(Exception):
    """The call was not made. `retry_after` is in seconds."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(f"{name} is taken to be away for another {retry_after:.0f} s")
        self.retry_after = retry_after


class CircuitBreaker:
    """Opens after `failures` failures in a row, and after `open_seconds` lets one call through to see.

    Only exceptions of the types in `counts` are failures; any other shows that the callee is alive. A caller that is
    cancelled says nothing. Nor does a call that began before the state last changed: what it met is the past.

    Args:
        says_nothing: exceptions that come before the callee was asked at all, even if they are of a type in `counts`.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        counts: type[Exception] | tuple[type[Exception], ...],
        *,
        says_nothing: tuple[type[Exception], ...] = (),
        failures: int = 5,
        open_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._counts = counts
        self._says_nothing = says_nothing
        self._most_failures = failures
        self._open_seconds = open_seconds
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False
        self._changes = 0

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        if self._opened_at is None:
            return "closed"
        return "open" if self._clock() < self._opened_at + self._open_seconds else "half-open"

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` returns.

        Raises:
            CircuitOpenError: the circuit is open, or half-open with its one call under way.
        """
        probe = self._admit()
        began_at = self._changes
        try:
            result = await work()
        except self._says_nothing:
            raise
        except self._counts:
            self._failed(began_at)
            raise
        except Exception:
            self._succeeded(began_at)
            raise
        else:
            self._succeeded(began_at)
            return result
        finally:
            if probe:
                self._probing = False

    def _admit(self) -> bool:
        """Whether the call is the probe."""
        if self._opened_at is None:
            return False
        if self.state == "open" or self._probing:
            raise CircuitOpenError(self.name, max(0.0, self._opened_at + self._open_seconds - self._clock()))
        self._probing = True
        return True

    def _failed(self, began_at: int) -> None:
        if began_at != self._changes:
            return
        self._failures += 1
        if self._opened_at is not None or self._failures >= self._most_failures:
            self._opened_at = self._clock()
            self._changes += 1
            telemetry.count("circuit_opened", circuit=self.name)

    def _succeeded(self, began_at: int) -> None:
        if began_at != self._changes:
            return
        self._failures = 0
        if self._opened_at is not None:
            self._opened_at = None
            self._changes += 1
