"""The audit: one structured record a tool call, prompt or resource read, and one a request refused at the door.

Records go to the logger `zava.audit`, as JSON in the message and as `custom_dimensions` for exporters that take them
apart. They name nobody: the caller is a hash, SQL a fingerprint without literals, and no token, argument, row, header
or address is in them. The same caller has the same hash in every record; it is keyed (`zava/platform/pseudonyms.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pydantic_core import to_json

from zava.errors import MCPError
from zava.platform import telemetry
from zava.protocol.request import McpRequest

logger = logging.getLogger("zava.audit")

_MOST_STORES_NAMED = 20
_EVENTS = {"tool": "tool_call", "prompt": "prompt_get", "resource": "resource_read"}


def call(request: McpRequest, kind: str, name: str, outcome: str, rows: int | None, milliseconds: float) -> None:
    """Record what was called, got or read, or refused. `kind` is `tool`, `prompt` or `resource`; `outcome` is `OK` or
    an error's code."""
    scope = request.caller.scope
    _record(
        logging.INFO if outcome == "OK" else logging.WARNING,
        {
            "event": _EVENTS[kind],
            "caller": request.caller.pseudonym or None,
            "store_count": len(scope.store_ids),
            "stores": ",".join(sorted(map(str, scope.store_ids))[:_MOST_STORES_NAMED]),
            kind: name,
            "sql_fingerprint": request.record.sql_fingerprint,
            "rows": rows,
            "milliseconds": round(milliseconds, 1),
            "outcome": outcome,
            "correlation_id": request.correlation_id,
        },
    )


def refused(error: MCPError, status: int, correlation_id: str) -> None:
    """Record and count a request that got 401, 403 or 429. `caller` is empty when no token verified."""
    telemetry.count("rate_limited" if status == 429 else "auth_failure", code=error.code)
    _record(
        logging.WARNING,
        {
            "event": "request_refused",
            "caller": error.caller or None,
            "status": status,
            "outcome": error.code,
            "reason": error.message,
            "correlation_id": correlation_id,
        },
    )


def _record(level: int, fields: Mapping[str, object]) -> None:
    known = {name: value for name, value in fields.items() if value is not None}
    logger.log(level, "%s", to_json(known).decode(), extra={"custom_dimensions": known})
