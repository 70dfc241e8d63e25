"""The second backend: the same names, the same masking, another exporter."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

from tests.azure_standins.collector import KEY, Collector
from tests.services import missing
from tests.telemetry_exporting import shipped
from tests.unit.test_masking import CORPUS
from zava.platform.telemetry_backends.connection_string import Destination

if importlib.util.find_spec("azure.monitor") is None:
    missing("azure-monitor-opentelemetry-exporter is not installed: pip install -r requirements-monitor.txt")

from zava.platform.telemetry_backends.azure_monitor import AzureMonitorTelemetry

_log = logging.getLogger("zava.tests")


@pytest.fixture
def telemetry(collector: Collector, tmp_path: Path) -> Iterator[AzureMonitorTelemetry]:
    telemetry = AzureMonitorTelemetry(Destination(KEY, collector.endpoint), {"service.name": "zava-tests"}, tmp_path)
    assert collector.requests == []
    with shipped(telemetry.log):
        yield telemetry
    telemetry.shutdown(5)


def test_spans_records_events_and_metrics_arrive_by_the_same_names_and_without_a_secret(
    telemetry: AzureMonitorTelemetry, collector: Collector
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(telemetry.processor)
    with provider.get_tracer("tests").start_as_current_span("tools/call search", kind=SpanKind.SERVER) as span:
        for text, secret, _ in CORPUS.values():
            span.set_attribute("note", text)
            span.record_exception(ValueError(text))
            _log.warning("it said %s", text, extra={"custom_dimensions": {"note": text, "password": secret}})
            try:
                raise ValueError(text) from KeyError(text)
            except ValueError:
                _log.exception(text)
            telemetry.event("worker_stopping", note=text)
            telemetry.record("query_duration", 2.0, type=text)
        span.set_status(StatusCode.ERROR, CORPUS["a DSN"][0])
    telemetry.count("query_total", 3, type="search", status="OK")
    for value in (3.0, 9.0):
        telemetry.record("query_duration", value, type="search")
    assert telemetry.flush(10)
    (request,) = collector.of("RequestData")
    assert (request["name"], request["success"]) == ("tools/call search", False)
    assert len(collector.of("MessageData")) == len(collector.of("ExceptionData")) == len(CORPUS)
    assert {data["name"] for data in collector.of("EventData")} == {"worker_stopping"}
    points = [
        (point["name"], point["value"], point.get("count"), point.get("min"), point.get("max"))
        for data in collector.of("MetricData")
        if (data.get("properties") or {}).get("type") == "search"
        for point in data["metrics"]
    ]
    assert sorted(points) == [("query_duration", 12.0, 2, 3.0, 9.0), ("query_total", 3.0, 1, None, None)]
    sent = json.dumps(collector.items, ensure_ascii=False)
    assert [name for name, (_, secret, _) in CORPUS.items() if secret in sent or json.dumps(secret)[1:-1] in sent] == []
