"""The end of a worker: Azure sends SIGTERM when it takes an instance away, and Python's default is to die at once.

Requests in flight are answered, new ones get a 503 that says to try again, a refresh gives its lease back, telemetry is
flushed, and the process ends. All of it is bounded, and nothing depends on it: a worker that is killed instead leaves
transactions that PostgreSQL undoes, and a lease that runs out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

from zava.platform import telemetry
from zava.protocol.edge import Edge

_log = logging.getLogger(__name__)

_CLOSE_SECONDS = 2.0
_TELEMETRY_SECONDS = 2.0
# An answer leaves the worker a moment after the function returned it; without the wait half of them were lost.
_LINGER_SECONDS = 0.3


class Shutdown:
    """
    Args:
        close: closes what the process holds open.
        seconds: how long requests in flight may take to end, which is their own deadline.
        end: ends the process with a status.
    """

    def __init__(
        self,
        edge: Edge,
        close: Callable[[], Awaitable[None]],
        *,
        seconds: float,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._edge = edge
        self._close = close
        self._seconds = seconds
        self._end = end
        self._interruptible: set[asyncio.Task[object]] = set()
        self._draining: asyncio.Task[None] | None = None

    def arm(self) -> None:
        """Take SIGTERM over; does nothing where there is no running loop, or not on the main thread.

        The language worker imports the app within its loop. The development host puts its own handler in place of this.
        """
        with contextlib.suppress(RuntimeError, NotImplementedError):  # no loop; a loop without signals (Windows)
            if threading.current_thread() is threading.main_thread():
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._asked)

    @contextmanager
    def interruptible(self) -> Generator[None]:
        """The current task is cancelled when the worker has to end, instead of being waited for."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        self._interruptible.add(task)
        try:
            yield
        finally:
            self._interruptible.discard(task)

    def _asked(self) -> None:
        if self._draining is not None:
            self._end(143)  # asked twice: at once
        else:
            self._draining = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        began_with = self._edge.in_flight
        self._edge.refuse_all()
        interrupted = list(self._interruptible)
        for task in interrupted:
            task.cancel()
        until = time.monotonic() + self._seconds
        while (self._edge.in_flight or self._interruptible) and time.monotonic() < until:  # noqa: ASYNC110  (once in a life)
            await asyncio.sleep(0.02)
        drained = self._edge.in_flight == 0
        _log.info("the worker ends: %s requests were in flight, %s are lost", began_with, self._edge.in_flight)
        telemetry.event("worker_stopping", in_flight=began_with, drained=drained)
        with contextlib.suppress(Exception):  # the end is not put off by what does not close
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._close()
        await asyncio.to_thread(telemetry.installed().shutdown, _TELEMETRY_SECONDS)
        await asyncio.sleep(_LINGER_SECONDS)
        self._end(0)
