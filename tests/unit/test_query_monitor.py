"""The query monitor: what it counts, and what a slow query leaves in the log."""

from __future__ import annotations

import asyncio

import pytest

from zava.platform.query_monitor import OperationFigures, QueryMonitor


class _Watched:
    """A monitor whose clock moves by as many seconds as an operation is said to take."""

    def __init__(self) -> None:
        self._now = 0.0
        self.monitor = QueryMonitor(1.0, lambda: self._now)

    def take(
        self, seconds: float, operation: str, fingerprint: str = "", problem: type[BaseException] | None = None
    ) -> None:
        with self.monitor.watch(operation, fingerprint):
            self._now += seconds
            if problem is not None:
                raise problem


def test_figures_are_kept_by_operation() -> None:
    watched = _Watched()
    for operation, seconds in (("sales", 0.5), ("sales", 1.25), ("search", 1.0), ("sales", 0.125)):
        watched.take(seconds, operation)
    assert watched.monitor.snapshot() == (
        OperationFigures("sales", 3, 0, 1, 625.0, 125.0, 1_250.0),
        OperationFigures("search", 1, 0, 0, 1_000.0, 1_000.0, 1_000.0),
    )


@pytest.mark.parametrize("problem", [ValueError, asyncio.CancelledError])
def test_what_ends_badly_is_counted_and_raised(problem: type[BaseException]) -> None:
    watched = _Watched()
    with pytest.raises(problem):
        watched.take(0.25, "sales", problem=problem)
    assert watched.monitor.snapshot() == (OperationFigures("sales", 1, 1, 0, 250.0, 250.0, 250.0),)


def test_only_a_slow_query_is_logged_and_by_its_fingerprint(caplog: pytest.LogCaptureFixture) -> None:
    watched = _Watched()
    watched.take(1.0, "execute_sales_query", "8ac1f4b2d3e90716")
    watched.take(1.5, "execute_sales_query", "8ac1f4b2d3e90716")
    with pytest.raises(ValueError):
        watched.take(2, "semantic_search_products", problem=ValueError)
    assert [record.getMessage() for record in caplog.records] == [
        "slow query: execute_sales_query, fingerprint 8ac1f4b2d3e90716, 1500 ms",
        "slow query: semantic_search_products, fingerprint none, 2000 ms, failed",
    ]
