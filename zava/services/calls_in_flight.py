"""How many calls one principal may have running in this worker: fewer than the pool, so that nobody can occupy it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from zava.errors import BusyError


class CallsInFlight:
    def __init__(self, most: int) -> None:
        self._most = most
        self._running: Counter[str] = Counter()

    @contextmanager
    def one_more(self, subject: str) -> Generator[None]:
        """Count one call of `subject` while the block runs.

        Raises:
            BusyError: the subject has as many calls running as it may.
        """
        if self._running[subject] >= self._most:
            raise BusyError(
                f"You have {self._most} queries running, which is as many as one caller may have at a time.",
                "Wait for one of them to answer, then try the same call again.",
            )
        self._running[subject] += 1
        try:
            yield
        finally:
            self._running[subject] -= 1
            if not self._running[subject]:
                del self._running[subject]
