"""While Application Insights is away, hangs or refuses: nobody waits, and nothing is lost without being counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.azure_standins.collector import Collector
from tests.telemetry_exporting import Exporting, exporting
from zava.platform.telemetry_backends import queued

_TIMEOUT_SECONDS = 0.3


@pytest.fixture
def export(collector: Collector, tmp_path: Path) -> Iterator[Exporting]:
    with exporting(collector, tmp_path, timeout=_TIMEOUT_SECONDS) as export:
        yield export


def _hang(collector: Collector) -> None:
    collector.hang = True


def _answer(status: int) -> Callable[[Collector], None]:
    def answer(collector: Collector) -> None:
        collector.status = status

    return answer


@pytest.mark.parametrize(
    "fail",
    [_answer(0), _answer(401), _answer(429), _answer(500), _answer(503), _hang],
    ids=["connection refused", "token refused", "throttled", "failing", "away", "hanging"],
)
def test_what_cannot_be_delivered_is_kept_and_delivered_later(
    fail: Callable[[Collector], None], export: Exporting, collector: Collector, tmp_path: Path
) -> None:
    fail(collector)
    for number in range(250):
        export.telemetry.event("told", number=number)
    assert not export.telemetry.flush(5)
    assert collector.items == []
    assert any(tmp_path.iterdir())
    collector.status, collector.hang = 200, False
    # At least once: a request that hung may be taken in the end, and its items come again.
    collector.wait_until(
        lambda: {data["measurements"]["number"] for data in collector.of("EventData")} == set(range(250))
    )


def test_what_one_process_could_not_deliver_the_next_one_does(collector: Collector, tmp_path: Path) -> None:
    collector.status = 503
    with exporting(collector, tmp_path) as first:
        first.telemetry.event("told", number=1)
        assert not first.telemetry.flush(5)
    collector.status = 200
    with exporting(collector, tmp_path) as second:
        second.telemetry.event("told", number=2)
        arrived = collector.wait_for("EventData", 2)
    assert {data["measurements"]["number"] for data in arrived} == {1, 2}


def test_while_the_collector_hangs_nobody_waits_and_a_flush_ends_in_time(
    export: Exporting, collector: Collector
) -> None:
    collector.hang = True
    export.telemetry.event("told", number=0)
    started = time.perf_counter()
    for number in range(1_000):
        export.telemetry.event("told", number=number)
        export.telemetry.record("query_duration", number)
    told = time.perf_counter() - started
    assert not export.telemetry.flush(0.1)
    assert told < 0.5
    assert time.perf_counter() - started < told + 0.4
    collector.hang = False


def test_a_full_queue_drops_what_comes_and_says_how_much(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queued, "MOST_WAITING", 10)
    collector.hang = True
    with exporting(collector, tmp_path, metrics_interval=0.5, timeout=_TIMEOUT_SECONDS) as export:
        for number in range(500):
            export.telemetry.event("told", number=number)
        collector.hang = False
        told = len(collector.wait_for("EventData", 1))
        lost = [data["metrics"][0]["value"] for data in collector.wait_for("MetricData", 1)]
    assert told + sum(lost) == 500
    assert told < 500
