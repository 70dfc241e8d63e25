"""Spans: the steps of a call, one trace a call, joined to the caller's own trace (W3C Trace Context).

The spans are OpenTelemetry's, so those of the `mcp` package and these are one tree; without a backend they cost a few
microseconds. A span never holds a message or a trace of an exception, nor SQL: only the kind of error.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from zava.errors import MCPError
from zava.platform.telemetry import Dimension

correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
"""The current request's, for log records alone: a label, which does no harm where a task outlives its request."""

_tracer = trace.get_tracer("zava")
_propagator = TraceContextTextMapPropagator()  # and no baggage, which would carry a stranger's words on


def error_type(problem: BaseException) -> str:
    """The code of an error of ours, the class of any other: what may be said of it without quoting it."""
    return problem.code if isinstance(problem, MCPError) else type(problem).__name__


class span:  # noqa: N801  (used as a function is)
    """A step of the call: `with span("query", type="select") as step:`.

    `name` is one of a few; double underscores in attributes' names stand for dots. An error leaves `error.type`, its
    code or its class, and is passed on.
    """

    __slots__ = ("_attributes", "_kind", "_name", "_span", "_token")

    def __init__(self, name: str, *, kind: SpanKind = SpanKind.INTERNAL, **attributes: Dimension) -> None:
        self._name = name
        self._kind = kind
        self._attributes = attributes

    def __enter__(self) -> Span:
        self._span = _tracer.start_span(self._name, kind=self._kind)
        if self._span.is_recording():
            for name, value in self._attributes.items():
                self._span.set_attribute(name.replace("__", "."), value)
        self._token = context.attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, stack: TracebackType | None
    ) -> None:
        context.detach(self._token)
        if problem is not None:
            self._span.set_attribute("error.type", error_type(problem))
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class Steps:
    """How long each of several steps took, one after another, in milliseconds by name: a step ends where it is named.

    For steps too short or too early for a span of their own; a span is told of them by `describe`.
    """

    __slots__ = ("_since", "milliseconds")

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def ended(self, name: str) -> None:
        now = time.perf_counter()
        self.milliseconds[name] = round((now - self._since) * 1_000, 3)
        self._since = now


def describe(attributes: Mapping[str, Dimension]) -> None:
    """Say more of the step that is under way."""
    current = trace.get_current_span()
    if current.is_recording():
        current.set_attributes(attributes)


@contextmanager
def joined(headers: Mapping[str, str], correlation: str) -> Generator[None]:
    """Within the block log records name the request, and spans belong to the trace that `traceparent` names, if any.

    `tracestate` is left out: it is the caller's text, and nothing here reads it.
    """
    labelled = correlation_id.set(correlation)
    parent = headers.get("traceparent")
    token = (
        None if parent is None else context.attach(_propagator.extract({"traceparent": parent}, context.get_current()))
    )
    try:
        yield
    finally:
        if token is not None:
            context.detach(token)
        correlation_id.reset(labelled)


def outgoing_headers() -> dict[str, str]:
    """`traceparent` for a request to another service, or nothing outside of a trace."""
    current = trace.get_current_span().get_span_context()
    if not current.is_valid:
        return {}
    flags = int(current.trace_flags)
    return {"traceparent": f"00-{current.trace_id:032x}-{current.span_id:016x}-{flags:02x}"}


def trace_ids() -> tuple[str, str] | None:
    """The current trace's and span's id in hexadecimal, or None outside of a trace."""
    current = trace.get_current_span().get_span_context()
    return (f"{current.trace_id:032x}", f"{current.span_id:016x}") if current.is_valid else None
