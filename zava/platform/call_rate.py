"""A rate limit in this worker's memory: the generic cell rate algorithm, for as many keys as are held at most."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

MOST_KEYS = 10_000


class CallRate:
    """Lets `burst` calls of one key pass at once, and one more every `seconds_per_call`.

    The memory is bounded: beyond `MOST_KEYS` the key whose last call is longest ago is forgotten, and starts anew.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, seconds_per_call: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds_per_call = seconds_per_call
        self._burst = burst
        self._clock = clock
        self._free_at: dict[str, float] = {}

    def take(self, key: str) -> float:
        """Count one call: 0.0 when it may go on, else the seconds until one may, and then nothing was counted."""
        now = self._clock()
        free_at = max(self._free_at.pop(key, -math.inf), now) + self._seconds_per_call
        latest = now + self._burst * self._seconds_per_call
        passes = free_at <= latest + 1e-9
        if len(self._free_at) >= MOST_KEYS:
            del self._free_at[next(iter(self._free_at))]
        self._free_at[key] = free_at if passes else free_at - self._seconds_per_call
        return 0.0 if passes else free_at - latest
