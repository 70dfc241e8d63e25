"""Work that several callers share: who comes while it goes on waits for it, who comes later begins it anew."""

from __future__ import annotations

import asyncio
from typing import TypeGuard, TypeVar

T = TypeVar("T")


def is_under_way(task: asyncio.Task[T] | None) -> TypeGuard[asyncio.Task[T]]:
    """Whether `task` can still be waited for, which one of another event loop cannot: a worker may change its loop."""
    return task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()
