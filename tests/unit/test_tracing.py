"""One trace a tool call: the caller's own, the `mcp` package's span in it, and our steps below that."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from tests.small_endpoint import handshake, small_endpoint, tool
from tests.telemetry_in_memory import spans_in_memory
from zava.errors import QueryError
from zava.platform import tracing

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_PARENT = "b7ad6b7169203331"
_TRACEPARENT = f"00-{_TRACE}-{_PARENT}-01"


def _ids(span: ReadableSpan) -> tuple[str, str | None]:
    assert span.context is not None
    return f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}" if span.parent else None


@pytest.mark.parametrize("where", ["header", "meta"])
async def test_a_call_belongs_to_the_trace_that_its_caller_names(where: str) -> None:
    meta = {"_meta": {"traceparent": _TRACEPARENT}} if where == "meta" else {}
    request = handshake("tools/call", tool("add", a=1, b=2) | meta)
    headers = request.headers | ({"traceparent": _TRACEPARENT} if where == "header" else {})
    with spans_in_memory() as spans:
        reply = await small_endpoint().handle(request.method, headers, request.body)
    assert reply.status == 200
    assert [(span.name, span.kind, *_ids(span)) for span in spans] == [
        ("tools/call add", SpanKind.SERVER, _TRACE, _PARENT)
    ]


@pytest.mark.parametrize(
    "traceparent",
    ["", "nonsense", f"00-{'0' * 32}-{_PARENT}-01", f"00-{_TRACE}-{_PARENT}", f"ff-{_TRACE}-{_PARENT}-01"],
)
async def test_a_traceparent_that_is_none_starts_a_trace_of_its_own(traceparent: str) -> None:
    request = handshake("tools/call", tool("add", a=1, b=2))
    with spans_in_memory() as spans:
        reply = await small_endpoint().handle(
            request.method, request.headers | {"traceparent": traceparent}, request.body
        )
    assert reply.status == 200
    ((trace_id, parent),) = map(_ids, spans)
    assert parent is None
    assert trace_id != _TRACE


def test_outside_of_a_trace_nothing_is_sent_on() -> None:
    assert (tracing.outgoing_headers(), tracing.trace_ids()) == ({}, None)


def test_within_a_trace_a_request_to_another_service_names_it_and_passes_no_words_of_the_caller_on() -> None:
    headers = {"traceparent": _TRACEPARENT, "tracestate": "vendor=words", "baggage": "words=more"}
    with spans_in_memory(), tracing.joined(headers, "c1"), tracing.span("step") as step:
        sent = tracing.outgoing_headers()
        assert sent == {"traceparent": f"00-{_TRACE}-{step.get_span_context().span_id:016x}-01"}
        assert tracing.trace_ids() == (_TRACE, sent["traceparent"].split("-")[2])
    assert tracing.outgoing_headers() == {}


@pytest.mark.parametrize(
    ("problem", "kind"),
    [(QueryError('column "Lovelace" does not exist'), "QUERY_ERROR"), (ValueError("Lovelace"), "ValueError")],
)
def test_a_step_that_fails_says_which_kind_of_error_and_not_its_words(problem: Exception, kind: str) -> None:
    with spans_in_memory() as spans, pytest.raises(type(problem)), tracing.span("step", db__system__name="postgresql"):
        raise problem
    (span,) = spans
    assert (span.status.status_code, span.status.description, dict(span.attributes or {}), span.events) == (
        StatusCode.ERROR,
        None,
        {"db.system.name": "postgresql", "error.type": kind},
        (),
    )
