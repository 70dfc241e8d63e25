"""How many calls one principal may have running in this worker: fewer than the pool, so that nobody can occupy it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from zava.errors import BusyError

# A model that asks several things at once waits for its own short calls; who fills the places with long ones does not
# keep more than this waiting.
PATIENCE_SECONDS = 1.0


@dataclass(slots=True)
class _Caller:
    places: asyncio.Semaphore
    calls: int = 0


class CallsInFlight:
    def __init__(self, most: int, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._most = most
        self._patience_seconds = patience_seconds
        self._callers: dict[str, _Caller] = {}

    @asynccontextmanager
    async def one_more(self, subject: str) -> AsyncGenerator[None]:
        """Count one call of `subject` while the block runs; before it, wait a moment for a place.

        Raises:
            BusyError: the subject has as many calls running as it may, and none ended while this one waited.
        """
        caller = self._callers.setdefault(subject, _Caller(asyncio.Semaphore(self._most)))
        caller.calls += 1
        try:
            try:
                async with asyncio.timeout(self._patience_seconds):
                    await caller.places.acquire()
            except TimeoutError:
                raise BusyError(
                    f"You have {self._most} queries running, which is as many as one caller may have at a time.",
                    "Wait for one of them to answer, then try the same call again.",
                ) from None
            try:
                yield
            finally:
                caller.places.release()
        finally:
            caller.calls -= 1
            if not caller.calls:
                del self._callers[subject]
