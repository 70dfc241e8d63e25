"""Measurements put together: count, sum, least and most of an interval, by name and dimensions."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from zava.platform.telemetry import Dimension

MOST_SERIES = 500
"""Of an interval. Whatever comes beyond goes into one series a name, whose one dimension says so."""
OVERFLOW: Mapping[str, Dimension] = {"overflow": True}


@dataclass(frozen=True, slots=True)
class Series:
    """One name with one set of dimensions, over an interval."""

    name: str
    dimensions: Mapping[str, Dimension]
    count: int
    total: float
    least: float
    most: float


class Aggregates:
    """Adds up from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[tuple[str, tuple[tuple[str, Dimension], ...]], tuple[int, float, float, float]] = {}

    def add(self, name: str, value: float, dimensions: Mapping[str, Dimension]) -> None:
        key = (name, tuple(sorted(dimensions.items())))
        with self._lock:
            if key not in self._series and len(self._series) >= MOST_SERIES:
                key = (name, tuple(OVERFLOW.items()))
            count, total, least, most = self._series.get(key, (0, 0.0, value, value))
            self._series[key] = (count + 1, total + value, min(least, value), max(most, value))

    def take(self) -> list[Series]:
        """What was added since the last time."""
        with self._lock:
            series, self._series = self._series, {}
        return [Series(name, dict(dimensions), *figures) for (name, dimensions), figures in series.items()]
