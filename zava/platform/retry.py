"""Repeats work that failed for a passing reason: a few times, after growing waits, and never past a deadline.

It may run the work several times, so it is for work that changes nothing, or nothing more when it is done again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_log = logging.getLogger(__name__)

MOST_ATTEMPTS = 3
FIRST_WAIT_SECONDS = 0.1


async def repeated(
    work: Callable[[], Awaitable[T]],
    may_repeat: Callable[[Exception], bool],
    *,
    deadline: float,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> T:
    """What `work` returns or raises at its last attempt.

    The waits double, and each is cut by chance by up to a half, so that callers who failed together do not come back
    together.

    Args:
        may_repeat: whether an exception is of a passing kind.
        deadline: on `time.monotonic`'s clock; what could only be repeated after it is not.
    """
    for attempt in range(1, MOST_ATTEMPTS):
        wait = FIRST_WAIT_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1)  # noqa: S311  (spreads load, guards nothing)
        try:
            return await work()
        except Exception as problem:
            if not may_repeat(problem) or time.monotonic() + wait >= deadline:
                raise
            # Only the kind: a message of a driver may quote what was asked.
            _log.info("attempt %d failed with %s, the next one follows", attempt, type(problem).__name__)
        await sleep(wait)
    return await work()
