"""Whether work that several callers share is still under way, on this event loop.

Who comes while it goes on waits for it, who comes later begins it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeGuard, TypeVar

T = TypeVar("T")


def begin(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Begin it on the running loop. Its callers may all stop waiting: its failure need not be asked for."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_looked_at)
    return task


def _looked_at(task: asyncio.Task[T]) -> None:
    if not task.cancelled():
        task.exception()  # asyncio complains of one that nobody looked at


def is_under_way(task: asyncio.Task[T] | None) -> TypeGuard[asyncio.Task[T]]:
    """Whether `task` can still be waited for, which one of another event loop cannot: a worker may change its loop."""
    return task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()
