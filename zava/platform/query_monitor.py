"""How long the database takes, by operation: slow ones are logged at once, figures are kept for the health report.

A slow statement is named by its fingerprint (the policy's, made of nothing but its structure): neither its literals nor
its parameters are ever logged.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from opentelemetry.trace import SpanKind

from zava.platform import telemetry
from zava.platform.tracing import error_type, span

_log = logging.getLogger(__name__)

SLOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class OperationFigures:
    """What was measured of one operation since the worker began; times are in milliseconds.

    `count` are all calls, `failed` those that ended with an error or were cancelled, `slow` those over the limit.
    """

    operation: str
    count: int
    failed: int
    slow: int
    average_ms: float
    least_ms: float
    most_ms: float


class QueryMonitor:
    """Belongs to one event loop's thread. `clock` is in seconds."""

    def __init__(self, slow_seconds: float = SLOW_SECONDS, clock: Callable[[], float] = time.perf_counter) -> None:
        self._slow_ms = slow_seconds * 1_000
        self._clock = clock
        self._figures: dict[str, OperationFigures] = {}

    @contextmanager
    def watch(self, operation: str, fingerprint: str = "") -> Generator[None]:
        """Measure the block, as a step of the call's trace and by the metrics `query_total` and `query_duration`.

        `operation` is one of few names of our own, never a caller's text.
        """
        started = self._clock()
        status = "OK"
        try:
            with span(
                "query",
                kind=SpanKind.CLIENT,
                db__system__name="postgresql",
                db__operation__name=operation,
                db__query__fingerprint=fingerprint,
            ):
                yield
        except BaseException as problem:
            status = error_type(problem)
            raise
        finally:
            milliseconds = (self._clock() - started) * 1_000
            telemetry.count("query_total", type=operation, status=status)
            telemetry.record("query_duration", milliseconds, type=operation)
            self._ended(operation, fingerprint, milliseconds, failed=status != "OK")

    def _ended(self, operation: str, fingerprint: str, milliseconds: float, *, failed: bool) -> None:
        slow = milliseconds > self._slow_ms
        known = self._figures.get(operation) or OperationFigures(operation, 0, 0, 0, 0.0, math.inf, 0.0)
        self._figures[operation] = replace(
            known,
            count=known.count + 1,
            failed=known.failed + failed,
            slow=known.slow + slow,
            average_ms=known.average_ms + (milliseconds - known.average_ms) / (known.count + 1),
            least_ms=min(known.least_ms, milliseconds),
            most_ms=max(known.most_ms, milliseconds),
        )
        if slow:
            _log.warning(
                "slow query: %s, fingerprint %s, %d ms%s",
                operation,
                fingerprint or "none",
                milliseconds,
                ", failed" if failed else "",
            )

    def snapshot(self) -> tuple[OperationFigures, ...]:
        """The figures so far, by operation's name."""
        return tuple(self._figures[operation] for operation in sorted(self._figures))
