"""A rate limit in this worker's memory: the generic cell rate algorithm, for as many keys as are held at most."""

from __future__ import annotations

import time
from collections.abc import Callable

from zava.platform.bounded_cache import BoundedCache

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
        self._free_at: BoundedCache[str, float] = BoundedCache(MOST_KEYS)

    def take(self, key: str) -> float:
        """Count one call: 0.0 when it may go on, else the seconds until one may, and then nothing was counted."""
        now = self._clock()
        free_at = max(self._free_at.get(key) or now, now) + self._seconds_per_call
        latest = now + self._burst * self._seconds_per_call
        passes = free_at <= latest + 1e-9
        self._free_at.put(key, free_at if passes else free_at - self._seconds_per_call)
        return 0.0 if passes else free_at - latest
