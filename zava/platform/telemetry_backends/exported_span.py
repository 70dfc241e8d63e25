"""A span as it may leave the process: named by us, without its caller's words, masked."""

from __future__ import annotations

from typing import Any, cast

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status

from zava.platform.masking import mask, mask_value

_MOST_CHARACTERS = 1_000
_MOST_CHARACTERS_OF_A_NAME = 100
# The caller's own texts, which the `mcp` package puts on its spans.
_THE_CALLERS = frozenset({"jsonrpc.request.id", "gen_ai.prompt.name"})


def exported(span: ReadableSpan) -> ReadableSpan:
    """A copy without events, links and the status's description, which quote exceptions; `error.type` says enough."""
    attributes = {
        name: _shortened(mask_value(value, name))
        for name, value in (span.attributes or {}).items()
        if name not in _THE_CALLERS
    }
    return ReadableSpan(
        name=_name(span, attributes),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=cast("dict[str, Any]", attributes),
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _name(span: ReadableSpan, attributes: dict[str, object]) -> str:
    """The `mcp` package names its spans with a target as the caller wrote it, and a tool's name is checked since.

    A prompt's or a resource's is, too, where the request came as far as the gate; which ones did cannot be seen here.
    """
    method = attributes.get("mcp.method.name")
    name = span.name if method in (None, "tools/call") else str(method)
    return mask(name)[:_MOST_CHARACTERS_OF_A_NAME]


def _shortened(value: object) -> object:
    return value[:_MOST_CHARACTERS] if isinstance(value, str) else value
