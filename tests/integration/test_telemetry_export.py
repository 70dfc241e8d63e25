"""What arrives at Application Insights, and what does not."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import TypeAdapter, ValidationError

from tests import telemetry_exporting
from tests.azure_standins.collector import KEY, Collector
from tests.azure_standins.identity_endpoint import IdentityEndpoint
from tests.telemetry_exporting import TAGS, Exporting, exporting
from tests.unit.test_masking import CORPUS
from zava.errors import QueryError
from zava.platform.credential import SharedCredential, azure_credential
from zava.platform.telemetry_backends.aggregates import MOST_SERIES

_log = logging.getLogger("zava.tests")
export = telemetry_exporting.export  # a fixture


def _fail_in_the_database() -> None:
    try:
        raise ConnectionError("no route to postgresql://zava:pass-word@db/zava")
    except ConnectionError as problem:
        raise QueryError('column "Lovelace" does not exist') from problem


def test_a_call_arrives_as_a_request_with_its_steps_its_records_and_its_failure_under_one_operation(
    export: Exporting, collector: Collector
) -> None:
    with export.tracer.start_as_current_span("tools/call search", kind=SpanKind.SERVER) as request:
        with export.tracer.start_as_current_span(
            "query", kind=SpanKind.CLIENT, attributes={"db.system.name": "postgresql", "rows": 3}
        ) as step:
            _log.info("searched", extra={"custom_dimensions": {"rows": 3, "mode": "hybrid"}})
        with export.tracer.start_as_current_span("policy") as policy:
            policy.set_attribute("error.type", "QUERY_REFUSED")
            policy.set_status(StatusCode.ERROR, "its words")
        try:
            _fail_in_the_database()
        except QueryError:
            _log.exception("request %s failed", "c1")
    assert export.telemetry.flush(5)

    def ids(span: trace.Span) -> tuple[str, str]:
        context = span.get_span_context()
        return f"{context.trace_id:032x}", f"{context.span_id:016x}"

    operation, request_id = ids(request)
    (sent,) = collector.of("RequestData")
    assert sent | {"duration": ""} == {
        "ver": 2,
        "name": "tools/call search",
        "id": request_id,
        "duration": "",
        "success": True,
        "responseCode": "OK",
        "properties": {},
    }
    query, refused = sorted(collector.of("RemoteDependencyData"), key=lambda data: data["name"], reverse=True)
    assert query | {"duration": ""} == {
        "ver": 2,
        "name": "query",
        "id": ids(step)[1],
        "duration": "",
        "success": True,
        "resultCode": "OK",
        "type": "postgresql",
        "properties": {"db.system.name": "postgresql", "rows": "3"},
    }
    assert (refused["type"], refused["success"], refused["resultCode"]) == ("InProc", False, "QUERY_REFUSED")
    (message,) = collector.of("MessageData")
    assert message == {
        "ver": 2,
        "message": "searched",
        "severityLevel": 1,
        "properties": {"level": "INFO", "logger": "zava.tests", "rows": "3", "mode": "hybrid"},
    }
    (failure,) = collector.of("ExceptionData")
    assert [(one["typeName"], one["message"], one["parsedStack"][0]["method"]) for one in failure["exceptions"]] == [
        ("zava.errors.QueryError", "QUERY_ERROR", "_fail_in_the_database"),
        ("ConnectionError", "no route to postgresql://***@db/zava", "_fail_in_the_database"),
    ]
    assert failure["properties"]["message"] == "request c1 failed"
    kept_under = {item["data"]["baseType"]: item["tags"] for item in collector.items}
    assert all(item["tags"]["ai.operation.id"] == operation for item in collector.items)
    assert kept_under["RequestData"] == TAGS | {
        "ai.operation.id": operation,
        "ai.operation.name": "tools/call search",
    }
    assert kept_under["RemoteDependencyData"]["ai.operation.parentId"] == request_id
    assert kept_under["MessageData"]["ai.operation.parentId"] == ids(step)[1]
    assert {item["iKey"] for item in collector.items} == {KEY}
    assert {request.path for request in collector.requests} == {"/v2.1/track"}


def test_metrics_arrive_as_count_sum_least_and_most_by_dimensions(export: Exporting, collector: Collector) -> None:
    for value in (3.0, 9.0, 120.5):
        export.telemetry.record("query_duration", value, type="search")
    export.telemetry.record("query_duration", 1, type="sales")
    export.telemetry.count("query_total", type="search", status="OK")
    export.telemetry.count("query_total", 2, type="search", status="OK")
    export.telemetry.event("worker_stopping", in_flight=2, drained=True)
    assert export.telemetry.flush(5)
    arrived = {
        (data["metrics"][0]["name"], *sorted(data["properties"].values())): data["metrics"][0]
        for data in collector.of("MetricData")
    }

    def point(name: str, count: int, total: float, least: float, most: float) -> dict[str, Any]:
        return {"ns": "zava", "name": name, "value": total, "count": count, "min": least, "max": most}

    assert arrived == {
        ("query_duration", "search"): point("query_duration", 3, 132.5, 3, 120.5),
        ("query_duration", "sales"): point("query_duration", 1, 1, 1, 1),
        ("query_total", "OK", "search"): point("query_total", 2, 3, 1, 2),
    }
    assert collector.of("EventData") == [
        {
            "ver": 2,
            "name": "worker_stopping",
            "properties": {"in_flight": "2", "drained": "true"},
            "measurements": {"in_flight": 2},
        }
    ]


def test_too_many_series_are_put_together_and_none_of_their_values_is_lost(
    export: Exporting, collector: Collector
) -> None:
    for number in range(MOST_SERIES + 50):
        export.telemetry.count("query_total", type=f"type {number}")
    assert export.telemetry.flush(5)
    arrived = collector.of("MetricData")
    assert len(arrived) == MOST_SERIES + 1
    assert sum(data["metrics"][0]["value"] for data in arrived) == MOST_SERIES + 50
    assert [data["metrics"][0]["count"] for data in arrived if data["properties"] == {"overflow": "true"}] == [50]


def test_no_secret_leaves_by_any_way(export: Exporting, collector: Collector) -> None:
    for text, secret, _ in CORPUS.values():
        with export.tracer.start_as_current_span(text, attributes={"note": text, "gen_ai.prompt.name": secret}) as span:
            span.set_status(StatusCode.ERROR, text)
            span.record_exception(ValueError(text))
        _log.warning("it said %s", text, extra={"custom_dimensions": {"note": text, "password": secret}})
        try:
            raise ValueError(text) from KeyError(text)
        except ValueError:
            _log.exception(text)
        export.telemetry.event("told", note=text, api_key=secret)
        export.telemetry.count("told", note=text)
    assert export.telemetry.flush(10)
    assert len(collector.items) == 5 * len(CORPUS)
    sent = json.dumps(collector.items, ensure_ascii=False)
    escaped = json.dumps(sent)
    assert [name for name, (_, secret, _) in CORPUS.items() if secret in sent or json.dumps(secret) in escaped] == []


class _DriverError(Exception):
    sqlstate = "23505"


def _insert_again() -> None:
    raise _DriverError("Key (last_name)=(Lovelace) already exists")


def _read_as_number() -> None:
    TypeAdapter(int).validate_python("Lovelace")


@pytest.mark.parametrize(("fail", "told"), [(_insert_again, "SQLSTATE 23505"), (_read_as_number, "int_parsing")])
def test_what_a_driver_or_a_validator_quotes_is_not_repeated(
    fail: Callable[[], None], told: str, export: Exporting, collector: Collector
) -> None:
    try:
        fail()
    except (_DriverError, ValidationError):
        _log.exception("it failed")
    assert export.telemetry.flush(5)
    assert [data["exceptions"][0]["message"] for data in collector.of("ExceptionData")] == [told]
    assert "Lovelace" not in json.dumps(collector.items)


def test_a_resource_without_local_authentication_gets_the_managed_identitys_token(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = IdentityEndpoint("the-token")
    with identity.server:
        for name, value in identity.environment().items():
            monkeypatch.setenv(name, value)
        credential = SharedCredential(lambda: azure_credential("", on_azure=True))
        with exporting(collector, tmp_path, credential) as export:
            identity.status = 400
            export.telemetry.event("told", number=1)
            assert not export.telemetry.flush(10)
            assert collector.requests == []
            identity.status = 200
            collector.wait_for("EventData", 1)
    assert {request.headers["authorization"] for request in collector.requests} == {"Bearer the-token"}
    assert {asked["resource"] for asked in identity.requests} == {"https://monitor.azure.com/"}


_MAKE_ONLY = """
import socket, sys
def refuse(*arguments, **options):
    raise AssertionError("making it opened a socket")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from zava.platform.credential import SharedCredential
from zava.platform.settings import Settings
from zava.platform.telemetry_backends import choice
settings = Settings(
    postgres_host="127.0.0.1", postgres_sslmode="disable", postgres_password="x-x", postgres_app_password="x-x",
    tenant_signing_key="k1:" + "0f" * 32, applicationinsights_connection_string=sys.argv[1],
)
choice.start(settings, SharedCredential.of(settings))
print(sorted(name for name in ("opencensus", "azure.identity", "requests") if name in sys.modules))
"""


def test_making_the_exporter_calls_nobody_and_imports_no_vendor(collector: Collector) -> None:
    made = subprocess.run(
        [sys.executable, "-c", _MAKE_ONLY, collector.connection_string], capture_output=True, text=True, check=False
    )
    assert (made.stdout, made.returncode) == ("[]\n", 0), made.stderr
    assert collector.requests == []
