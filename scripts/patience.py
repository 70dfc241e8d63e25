"""Waiting for what Azure has promised and not yet brought everywhere: roles, rules and administrators take minutes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_PROPAGATION_SECONDS = 300.0
_PAUSE_SECONDS = 10.0


async def patiently(work: Callable[[], Awaitable[T]], not_yet: Callable[[Exception], str | None]) -> T:
    """What `work` returns, tried every ten seconds for five minutes while what it raises only says "not yet".

    Args:
        not_yet: the words for such an exception, said to the person who waits; None for any other.

    Raises:
        Exception: what `work` raised last.
    """
    ends = time.monotonic() + _PROPAGATION_SECONDS
    while True:
        try:
            return await work()
        except Exception as problem:
            if (words := not_yet(problem)) is None or time.monotonic() > ends:
                raise
            print(f"      {words}; waiting ...", flush=True)
        await asyncio.sleep(_PAUSE_SECONDS)
