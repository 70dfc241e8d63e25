"""Telemetry to Application Insights by OpenTelemetry's own pipelines and Microsoft's maintained exporter.

The way out of the retired package: an extra (`requirements-monitor.txt`), chosen by TELEMETRY_BACKEND=azure_monitor.
The exporter is used without the distribution around it, whose own instrumentation would record what must not leave.
Unlike the other backend it is imported and made at the start, which takes about half a second.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.metrics import Counter, Histogram
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from zava.platform.exception_text import as_text
from zava.platform.logs import LogLine
from zava.platform.masking import mask_value
from zava.platform.telemetry import Dimension
from zava.platform.telemetry_backends.aggregates import OVERFLOW
from zava.platform.telemetry_backends.connection_string import Destination
from zava.platform.telemetry_backends.exported_span import exported

_MOST_SETS_OF_DIMENSIONS = 500
_INTERVAL_MS = 2_000
_METRICS_INTERVAL_MS = 15_000


class _Exported(SpanExporter):
    """Hands spans on in the form in which they may leave."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([exported(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()


class AzureMonitorTelemetry:
    """`processor` belongs under a tracer provider.

    Args:
        credential: for a resource that takes nothing without a token (local authentication off).
    """

    def __init__(
        self, destination: Destination, resource: Mapping[str, str], folder: Path, credential: object | None = None
    ) -> None:
        # Read when the package is imported: neither usage figures nor remote configuration are asked for.
        os.environ["APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL"] = "true"
        os.environ["APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED"] = "true"
        from azure.monitor.opentelemetry.exporter import (
            AzureMonitorLogExporter,
            AzureMonitorMetricExporter,
            AzureMonitorTraceExporter,
        )

        options: dict[str, Any] = {
            "connection_string": f"InstrumentationKey={destination.instrumentation_key};"
            f"IngestionEndpoint={destination.endpoint}/",
            "storage_directory": str(folder),
            "timeout": 3.0,
        }
        if credential is not None:
            options["credential"] = credential
        about = Resource.create(dict(resource))
        self.processor = BatchSpanProcessor(
            _Exported(AzureMonitorTraceExporter(**options)), schedule_delay_millis=_INTERVAL_MS
        )
        self._logs = LoggerProvider(about, shutdown_on_exit=False)
        self._logs.add_log_record_processor(
            BatchLogRecordProcessor(AzureMonitorLogExporter(**options), schedule_delay_millis=_INTERVAL_MS)
        )
        self._logger = self._logs.get_logger("zava")
        reader = PeriodicExportingMetricReader(
            AzureMonitorMetricExporter(**options), export_interval_millis=_METRICS_INTERVAL_MS
        )
        self._metrics = MeterProvider([reader], about, shutdown_on_exit=False)
        self._meter = self._metrics.get_meter("zava")
        self._making = threading.Lock()
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._known: set[tuple[str, tuple[tuple[str, Dimension], ...]]] = set()

    def event(self, name: str, /, **dimensions: Dimension) -> None:
        self._logger.emit(
            LogRecord(
                timestamp=time.time_ns(),
                body=name,
                severity_number=SeverityNumber.INFO,
                attributes=_masked({"microsoft.custom_event.name": name, **dimensions}),
            )
        )

    def count(self, name: str, amount: int = 1, /, **dimensions: Dimension) -> None:
        with self._making:
            counter = self._counters.get(name) or self._counters.setdefault(name, self._meter.create_counter(name))
        counter.add(amount, self._few(name, dimensions))

    def record(self, name: str, value: float, /, **dimensions: Dimension) -> None:
        with self._making:
            made = self._histograms.get(name)
            made = made or self._histograms.setdefault(name, self._meter.create_histogram(name))
        made.record(value, self._few(name, dimensions))

    def log(self, line: LogLine) -> None:
        named = {"level": line.level, "logger": line.logger, "correlation_id": line.correlation_id}
        attributes = {name: value for name, value in named.items() if value} | dict(line.dimensions)
        if line.exception:
            attributes |= {
                "exception.type": line.exception[0].kind,
                "exception.message": line.exception[0].message or line.exception[0].kind,
                "exception.stacktrace": as_text(line.exception),
                "message": line.message,
            }
        self._logger.emit(
            LogRecord(
                timestamp=int(line.time * 1e9),
                severity_text=line.level,
                severity_number=_severity(line.level_number),
                body=line.message,
                attributes=_masked(attributes),
            )
        )

    def flush(self, timeout: float) -> bool:
        until = time.monotonic() + timeout
        flushed = True
        for provider in (self.processor, self._logs, self._metrics):
            flushed = provider.force_flush(max(1, int((until - time.monotonic()) * 1_000))) and flushed
        return flushed

    def shutdown(self, timeout: float = 2.0) -> bool:
        flushed = self.flush(timeout)
        # Not waited for: each waits for its own thread, which may be sending for longer than there is time.
        for provider in (self.processor, self._logs, self._metrics):
            threading.Thread(target=provider.shutdown, daemon=True).start()
        return flushed

    def _few(self, name: str, dimensions: Mapping[str, Dimension]) -> dict[str, Any]:
        key = (name, tuple(sorted(dimensions.items())))
        if key not in self._known:
            if len(self._known) >= _MOST_SETS_OF_DIMENSIONS:
                return dict(OVERFLOW)
            self._known.add(key)
        return _masked(dimensions)


def _masked(values: Mapping[str, object]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, bool | int | float | str) else str(value)
        for name, value in ((name, mask_value(value, name)) for name, value in values.items())
        if value is not None
    }


def _severity(level_number: int) -> SeverityNumber:
    for least, severity in (
        (50, SeverityNumber.FATAL),
        (40, SeverityNumber.ERROR),
        (30, SeverityNumber.WARN),
        (20, SeverityNumber.INFO),
    ):
        if level_number >= least:
            return severity
    return SeverityNumber.DEBUG
