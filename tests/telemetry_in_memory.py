"""Telemetry kept in lists, and spans as they end, for tests that look at what would leave."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from zava.platform import telemetry
from zava.platform.telemetry import Dimension

Item = tuple[str, float, dict[str, Dimension]]


class TelemetryInMemory:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Dimension]]] = []
        self.counts: list[Item] = []
        self.values: list[Item] = []

    def event(self, name: str, /, **dimensions: Dimension) -> None:
        self.events.append((name, dimensions))

    def count(self, name: str, amount: int = 1, /, **dimensions: Dimension) -> None:
        self.counts.append((name, amount, dimensions))

    def record(self, name: str, value: float, /, **dimensions: Dimension) -> None:
        self.values.append((name, value, dimensions))

    def flush(self, timeout: float) -> bool:
        return True

    def shutdown(self, timeout: float) -> bool:
        return True


@contextmanager
def telemetry_in_memory() -> Generator[TelemetryInMemory]:
    """Everything counted, recorded and told within the block."""
    kept = TelemetryInMemory()
    before = telemetry.install(kept)
    try:
        yield kept
    finally:
        telemetry.install(before)


class _Spans(SpanProcessor):
    def __init__(self) -> None:
        self.kept: list[ReadableSpan] | None = None

    def on_end(self, span: ReadableSpan) -> None:
        if self.kept is not None:
            self.kept.append(span)


@cache
def _spans() -> _Spans:
    # OpenTelemetry's provider can be set once a process, so tests share it.
    spans, provider = _Spans(), TracerProvider()
    provider.add_span_processor(spans)
    trace.set_tracer_provider(provider)
    return spans


@contextmanager
def spans_in_memory() -> Generator[list[ReadableSpan]]:
    """Every span that ends within the block, in the order of their ends."""
    spans = _spans()
    spans.kept = kept = []
    try:
        yield kept
    finally:
        spans.kept = None
