"""HTTP replies, and the one place where an error becomes one.

A reply knows nothing of Azure: `function_app` hands it to the host.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pydantic_core import to_json

from zava.errors import (
    AuthenticationError,
    AuthorizationError,
    BusyError,
    DatabaseError,
    DatabaseUnavailableError,
    IsolationError,
    MCPError,
    RateLimitError,
    ServiceUnavailableError,
    ValidationError,
)
from zava.protocol import audit

logger = logging.getLogger(__name__)

JSON = "application/json"
EVENT_STREAM = "text/event-stream"

_MOST_CAUSES = 5
_ZERO_WEIGHT = re.compile(r"q\s*=\s*0(\.0{0,3})?")

Challenge = Callable[[MCPError, Mapping[str, str]], str | None]
"""From a refusal and the request's headers to the value of `WWW-Authenticate`, if it wants one (RFC 9110, 11.6.1)."""

# Status, and after how many seconds the same request may succeed: the database is left alone for one second after
# failures, a proof that failed is made again after five. An error that is not listed is our fault: 500.
_STATUS: Mapping[type[MCPError], tuple[int, int | None]] = {
    ValidationError: (400, None),
    AuthenticationError: (401, None),
    AuthorizationError: (403, None),
    BusyError: (429, 1),
    RateLimitError: (429, None),
    ServiceUnavailableError: (503, None),
    DatabaseUnavailableError: (503, 2),
    IsolationError: (503, 5),
}


@dataclass(frozen=True, slots=True)
class HttpReply:
    """One HTTP answer. Header names are lower case; an answer without a body has no `content-type`."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def reply(
    status: int,
    body: bytes,
    correlation_id: str,
    *,
    content_type: str = JSON,
    extra: Mapping[str, str] | None = None,
) -> HttpReply:
    """An answer with the headers that every answer carries: answers differ by caller, so nothing on the way may keep
    one (`no-store`, RFC 9111), and no browser may take it for another type than it names (`nosniff`)."""
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff", "x-correlation-id": correlation_id}
    if body:
        headers["content-type"] = content_type
    if extra:
        headers.update(extra)
    return HttpReply(status, body, headers)


@lru_cache(maxsize=64)  # every client sends its one value at every call
def accepts(accept: str, media_type: str) -> bool:
    """Whether an `Accept` header allows a media type; the most specific range decides (RFC 9110, section 12.5.1)."""
    weights: dict[str, bool] = {}
    for entry in accept.lower().split(","):
        media_range, *parameters = (part.strip() for part in entry.split(";"))
        weights[media_range] = not any(_ZERO_WEIGHT.fullmatch(parameter) for parameter in parameters)
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((weights[media_range] for media_range in ranges if media_range in weights), False)


def bearer_challenge(error: MCPError, _headers: Mapping[str, str]) -> str | None:
    """RFC 6750, section 3: the bare scheme for a request without a token, a reason for one whose token was refused."""
    if not isinstance(error, AuthenticationError):
        return None
    return 'Bearer error="invalid_token"' if error.token_sent else "Bearer"


def error_reply(
    error: Exception, correlation_id: str, headers: Mapping[str, str], challenge: Challenge = bearer_challenge
) -> HttpReply:
    """The answer to a request that failed outside the MCP kernel: `{"error": {code, message, hint}}`.

    An exception that is none of ours is logged with its trace under the correlation id; the caller gets that id and
    "internal error", nothing else.

    Args:
        headers: the request's.
    """
    if not isinstance(error, MCPError):
        logger.error("request %s failed", correlation_id, exc_info=error)
        return reply(500, to_json({"error": internal_error(correlation_id)}), correlation_id)
    status, retry_after = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), (500, None))
    log_failure(error, correlation_id)
    if status in (401, 403, 429):
        audit.refused(error, status, correlation_id)
    if isinstance(error, (RateLimitError, ServiceUnavailableError)):
        retry_after = error.retry_after
    extra: dict[str, str] = {}
    if retry_after is not None:
        extra["retry-after"] = str(retry_after)
    if (value := challenge(error, headers)) is not None:
        extra["www-authenticate"] = value
    return reply(status, to_json({"error": error.as_dict()}), correlation_id, extra=extra)


def log_failure(error: MCPError, correlation_id: str) -> None:
    """Tell the operator, under the id the caller has, of a failure that is not the caller's doing.

    Of its causes the kinds alone, and the database's code: their messages may hold values of rows.
    """
    ours = isinstance(error, (ServiceUnavailableError, DatabaseUnavailableError, IsolationError))
    if not (ours or type(error) is DatabaseError):
        return
    causes: list[str] = []
    cause = error.__cause__
    while cause is not None and len(causes) < _MOST_CAUSES:
        sqlstate = getattr(cause, "sqlstate", None)
        causes.append(f"{type(cause).__name__} {sqlstate}" if sqlstate else type(cause).__name__)
        cause = cause.__cause__
    logger.warning("request %s failed with %s (%s)", correlation_id, error.code, " from ".join(causes) or "no cause")


def internal_error(correlation_id: str) -> dict[str, str]:
    """All that a caller learns about a failure that is our fault."""
    return {
        "code": "INTERNAL_ERROR",
        "message": "internal error",
        "hint": f"Try again; if it stays, report the correlation id {correlation_id}.",
        "correlation_id": correlation_id,
    }
