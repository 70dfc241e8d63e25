"""A cache in memory that never weighs more than a limit: what was not used for longest goes first."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Belongs to one event loop's thread. `hits` and `misses` count the look-ups.

    Args:
        most: what all entries may weigh together. By default each weighs one, so that it is their number.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self.weight = 0
        self.hits = 0
        self.misses = 0

    def get(self, key: K) -> V | None:
        entry = self._entries.get(key)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V, weight: int = 1) -> None:
        """Keep a value; one that is heavier than the whole limit is not kept, and its predecessor goes."""
        self.drop(key)
        if weight > self._most:
            return
        self._entries[key] = (value, weight)
        self.weight += weight
        while self.weight > self._most:
            self.weight -= self._entries.popitem(last=False)[1][1]

    def drop(self, key: K) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.weight -= entry[1]

    def __len__(self) -> int:
        return len(self._entries)
