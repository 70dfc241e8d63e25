"""Reads that are repeated when the connection breaks or PostgreSQL undoes them; never for what may have written."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from zava.errors import DatabaseUnavailableError
from zava.platform.retry import repeated

T = TypeVar("T")

OWN_READ_SECONDS = 3.0
"""How long Zava's own small reads are repeated, where no caller's deadline is at hand."""

_PASSING_CLASSES = frozenset({"08"})
# Undone because of another transaction; ended by an administrator or a crash; starting up; no connection free.
_PASSING_CODES = frozenset({"40001", "40P01", "57P01", "57P02", "57P03", "53300"})


async def repeated_read(work: Callable[[], Awaitable[T]], *, deadline: float | None = None) -> T:
    """What `work` returns, at the third attempt at the latest. `work` opens what it needs, and only reads.

    Args:
        deadline: on `time.monotonic`'s clock; by default three seconds from now.

    Raises:
        Exception: whatever the last attempt raised.
    """
    until = time.monotonic() + OWN_READ_SECONDS if deadline is None else deadline
    return await repeated(work, is_passing, deadline=until)


def is_passing(problem: Exception) -> bool:
    """Whether the same read may succeed at once: the connection broke, or another transaction was in the way.

    A connection that could not be made in time is not tried again: the caller has waited for seconds already.
    """
    cause = problem.__cause__ if isinstance(problem, DatabaseUnavailableError) else problem
    if isinstance(cause, asyncpg.PostgresError):
        code = getattr(cause, "sqlstate", None) or ""
        return code in _PASSING_CODES or code[:2] in _PASSING_CLASSES
    broken = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    return isinstance(cause, broken) and not isinstance(cause, TimeoutError)
