"""How often one principal may call: one limit shared by all workers; while that is away, the same limit in each."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Protocol

from zava.errors import DatabaseUnavailableError, RateLimitError
from zava.platform.call_rate import CallRate

logger = logging.getLogger(__name__)

_LEFT_ALONE_SECONDS = 5.0


class SharedRates(Protocol):
    """Counts calls for all workers; raises DatabaseUnavailableError."""

    async def take(self, caller: str, seconds_per_call: float, burst: int) -> float: ...


class RateLimit:
    """Args: `per_minute` calls on the long run, `burst` of them at once; `clock` is monotonic seconds."""

    def __init__(
        self, shared: SharedRates, per_minute: int, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared = shared
        self._seconds_per_call = 60 / per_minute
        self._burst = burst
        self._clock = clock
        self._alone = CallRate(self._seconds_per_call, burst, clock)
        self._alone_until = float("-inf")

    async def take(self, caller: str) -> None:
        """Count one call of a caller, known by its hash.

        Raises:
            RateLimitError: the caller has used its allowance; it says when to call again.
        """
        refuse_when_waiting(await self._waiting(caller))

    async def _waiting(self, caller: str) -> float:
        # Reading goes on without the shared limit; asking it again at each call would only make calls slower.
        if self._clock() >= self._alone_until:
            try:
                return await self._shared.take(caller, self._seconds_per_call, self._burst)
            except DatabaseUnavailableError:
                self._alone_until = self._clock() + _LEFT_ALONE_SECONDS
                logger.warning("the shared rate limit is away: for %g s each worker counts alone", _LEFT_ALONE_SECONDS)
        return self._alone.take(caller)


def refuse_when_waiting(seconds: float) -> None:
    """Raises RateLimitError unless `seconds` is 0."""
    if seconds > 0:
        retry_after = max(1, math.ceil(seconds))
        raise RateLimitError("Too many calls", f"Call again in {retry_after} s, and less often.", retry_after)
