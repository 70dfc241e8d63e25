"""Items in the form that Application Insights takes (schema "2.1/track"), each put through the mask as a whole."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from zava.platform.exception_text import ExceptionText
from zava.platform.logs import LogLine
from zava.platform.masking import mask_value
from zava.platform.telemetry import Dimension
from zava.platform.telemetry_backends.aggregates import Series

Envelope: TypeAlias = dict[str, Any]

_MOST_CHARACTERS_OF_A_PROPERTY = 8_192
_MOST_CHARACTERS_OF_A_MESSAGE = 32_768


class Envelopes:
    """Makes envelopes for one resource.

    Args:
        instrumentation_key: names the resource; it is no secret, but nothing else may be read from it either.
        tags: who says it, in every envelope (`ai.cloud.role` and its kin).
    """

    def __init__(self, instrumentation_key: str, tags: Mapping[str, str]) -> None:
        self._key = instrumentation_key
        self._tags = dict(tags)

    def of_span(self, span: ReadableSpan) -> Envelope:
        """A request where we were asked, a dependency where we asked or worked."""
        context, attributes = span.context, dict(span.attributes or {})
        assert context is not None  # noqa: S101  (a span that has ended has one)
        started, ended = (span.start_time or 0) / 1e9, (span.end_time or 0) / 1e9
        tags = {"ai.operation.id": f"{context.trace_id:032x}"}
        if span.parent is not None:
            tags["ai.operation.parentId"] = f"{span.parent.span_id:016x}"
        failed = span.status.status_code is StatusCode.ERROR
        code = str(attributes.get("error.type", "ERROR")) if failed else "OK"
        data: dict[str, Any] = {
            "name": span.name,
            "id": f"{context.span_id:016x}",
            "duration": _duration(ended - started),
            "success": not failed,
            "properties": attributes,
        }
        if span.kind in (SpanKind.SERVER, SpanKind.CONSUMER):
            tags["ai.operation.name"] = span.name
            return self._envelope("Request", "RequestData", data | {"responseCode": code}, started, tags)
        outside = attributes.get("db.system.name") or attributes.get("gen_ai.operation.name") or "other"
        data |= {"resultCode": code, "type": str(outside) if span.kind is SpanKind.CLIENT else "InProc"}
        return self._envelope("RemoteDependency", "RemoteDependencyData", data, started, tags)

    def of_log(self, line: LogLine) -> Envelope:
        """A trace record, or an exception where the record holds one."""
        tags = {"ai.operation.id": line.trace_id, "ai.operation.parentId": line.span_id} if line.trace_id else {}
        named = {"level": line.level, "logger": line.logger, "correlation_id": line.correlation_id}
        properties = {name: value for name, value in named.items() if value} | dict(line.dimensions)
        data: dict[str, Any] = {"severityLevel": _severity(line.level_number), "properties": properties}
        if not line.exception:
            data["message"] = line.message[:_MOST_CHARACTERS_OF_A_MESSAGE] or "-"
            return self._envelope("Message", "MessageData", data, line.time, tags)
        data["properties"] = properties | {"message": line.message}
        data["exceptions"] = [_exception(number, one) for number, one in enumerate(line.exception, 1)]
        return self._envelope("Exception", "ExceptionData", data, line.time, tags)

    def of_event(self, name: str, dimensions: Mapping[str, Dimension], at: float) -> Envelope:
        """A custom event; numbers become measurements as well."""
        numbers = {key: value for key, value in dimensions.items() if type(value) in (int, float)}
        data = {"name": name, "properties": dict(dimensions), "measurements": numbers}
        return self._envelope("Event", "EventData", data, at, {})

    def of_series(self, series: Series) -> Envelope:
        """A metric aggregated over an interval."""
        point = {
            "ns": "zava",
            "name": series.name,
            "value": series.total,
            "count": series.count,
            "min": series.least,
            "max": series.most,
        }
        data = {"metrics": [point], "properties": dict(series.dimensions)}
        return self._envelope("Metric", "MetricData", data, time.time(), {})

    def _envelope(
        self, kind: str, base_type: str, data: Mapping[str, Any], at: float, tags: Mapping[str, str]
    ) -> Envelope:
        masked = cast("dict[str, Any]", mask_value(data))
        masked["ver"] = 2
        masked["properties"] = {name: _text(value) for name, value in masked["properties"].items() if value is not None}
        return {
            "ver": 1,
            "name": f"Microsoft.ApplicationInsights.{kind}",
            "time": dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "iKey": self._key,
            "tags": self._tags | dict(tags),
            "data": {"baseType": base_type, "baseData": masked},
        }


def _exception(number: int, described: ExceptionText) -> dict[str, Any]:
    # Application Insights wants the innermost frame first.
    stack = [
        {"level": level, "method": frame.function, "fileName": frame.file, "line": frame.line}
        for level, frame in enumerate(reversed(described.frames))
    ]
    return {
        "id": number,
        "outerId": number - 1,
        "typeName": described.kind,
        "message": described.message or described.kind,
        "hasFullStack": bool(stack),
        "parsedStack": stack,
    }


def _text(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text[:_MOST_CHARACTERS_OF_A_PROPERTY]


def _severity(level_number: int) -> int:
    """DEBUG 0, INFO 1, WARNING 2, ERROR 3, CRITICAL 4."""
    return max(0, min(4, level_number // 10 - 1))


def _duration(seconds: float) -> str:
    """`days.hours:minutes:seconds.milliseconds`."""
    milliseconds = round(max(0.0, seconds) * 1_000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}.{hours:02}:{minutes:02}:{rest // 1_000:02}.{rest % 1_000:03}"
