"""The exporter to Application Insights with a collector on loopback, quick in all it does, and a fixture of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from tests.azure_standins.collector import KEY, Collector
from zava.platform import logs
from zava.platform.telemetry_backends.choice import sampler
from zava.platform.telemetry_backends.envelopes import Envelopes
from zava.platform.telemetry_backends.opencensus import TokenSource, open_delivery
from zava.platform.telemetry_backends.queued import QueuedTelemetry

TAGS = {"ai.cloud.role": "zava-tests"}


class Exporting:
    """A backend, and loggers and tracers that lead to it and to nothing else."""

    def __init__(
        self,
        collector: Collector,
        folder: Path,
        credential: TokenSource | None,
        metrics_interval: float,
        timeout: float,
    ) -> None:
        self.telemetry = QueuedTelemetry(
            Envelopes(KEY, TAGS),
            lambda: open_delivery(collector.endpoint, folder, credential, pause=0.05, timeout=timeout),
            interval=0.05,
            metrics_interval=metrics_interval,
        )
        provider = TracerProvider(sampler=sampler(1), shutdown_on_exit=False)
        provider.add_span_processor(self.telemetry)
        self.tracer = provider.get_tracer("tests")


@contextmanager
def exporting(
    collector: Collector,
    folder: Path,
    credential: TokenSource | None = None,
    *,
    metrics_interval: float = 60,
    timeout: float = 3.0,
) -> Generator[Exporting]:
    """`timeout` is the product's own; where the collector hangs on purpose, a shorter one saves the waiting."""
    export = Exporting(collector, folder, credential, metrics_interval, timeout)
    try:
        with shipped(export.telemetry.log):
            yield export
    finally:
        export.telemetry.shutdown(5)


@contextmanager
def shipped(take: Callable[[logs.LogLine], None]) -> Generator[None]:
    """While the block runs, what the app logs from INFO on goes to `take`."""
    own = logging.getLogger(logs.OWN)
    level = own.level
    own.setLevel(logging.INFO)
    stop = logs.ship(take, on_azure=False)
    try:
        yield
    finally:
        stop()
        own.setLevel(level)


@pytest.fixture
def export(collector: Collector, tmp_path: Path) -> Iterator[Exporting]:
    with exporting(collector, tmp_path) as export:
        yield export
