"""Log records on their way out: masked, with the ids of the call they belong to, and in one of two forms.

On Azure a record is one line of JSON; on a terminal it is a line to read. Where telemetry takes the records of Zava's
own loggers, the host is not given them too, because both end in the same Application Insights.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from pydantic_core import to_json

from zava.platform.exception_text import ExceptionText, as_text, describe
from zava.platform.masking import mask, mask_value
from zava.platform.tracing import correlation_id, trace_ids

OWN = "zava"
"""The logger above all of Zava's. Handlers of ours are put on it, never on the root: what sends telemetry logs too."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "custom_dimensions"}
_MASKED = "zava_masked"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One record, as it may leave the process. `time` is in seconds since 1970; ids are empty outside of a call."""

    time: float
    level: str
    level_number: int
    logger: str
    message: str
    dimensions: Mapping[str, object]
    exception: tuple[ExceptionText, ...]
    correlation_id: str
    trace_id: str
    span_id: str

    @classmethod
    def of(cls, record: logging.LogRecord) -> LogLine:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  (as logging itself: a wrong format must not end the caller)
            text = f"{record.msg!s} {record.args!r}"
        problem = record.exc_info[1] if record.exc_info else None
        trace_id, span_id = trace_ids() or ("", "")
        return cls(
            record.created,
            record.levelname,
            record.levelno,
            record.name,
            mask(text),
            cast("dict[str, object]", mask_value(_dimensions(record))),
            describe(problem) if problem is not None else (),
            correlation_id.get(),
            trace_id,
            span_id,
        )


def _dimensions(record: logging.LogRecord) -> dict[str, object]:
    dimensions = getattr(record, "custom_dimensions", None)
    named = dict(cast("Mapping[str, object]", dimensions)) if isinstance(dimensions, Mapping) else {}
    return named | {name: value for name, value in vars(record).items() if name not in _STANDARD and name != _MASKED}


class MaskingFilter(logging.Filter):
    """Masks a record before a handler that is none of ours writes it: message, trace, and what is in `extra`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: nothing is dropped."""
        if getattr(record, _MASKED, False):
            return True
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  (as in LogLine.of)
            text = f"{record.msg!s} {record.args!r}"
        record.msg, record.args = mask(text), None
        if record.exc_info and record.exc_info[1] is not None:
            # Handlers show this text instead of formatting the exception again.
            record.exc_text = as_text(describe(record.exc_info[1]))
        elif record.exc_text:
            record.exc_text = mask(record.exc_text)
        if record.stack_info:
            record.stack_info = mask(record.stack_info)
        for name in vars(record).keys() - (_STANDARD - {"custom_dimensions"}):
            setattr(record, name, mask_value(getattr(record, name), name))
        setattr(record, _MASKED, True)
        return True


class JsonLines(logging.Formatter):
    """A record as one line of JSON, for what collects logs on Azure."""

    def format(self, record: logging.LogRecord) -> str:
        line = LogLine.of(record)
        known: dict[str, object] = {
            "time": dt.datetime.fromtimestamp(line.time, dt.UTC).isoformat(timespec="milliseconds"),
            "level": line.level,
            "logger": line.logger,
            "message": line.message,
            "correlation_id": line.correlation_id,
            "trace_id": line.trace_id,
            "span_id": line.span_id,
            "dimensions": line.dimensions,
            "exception": as_text(line.exception),
        }
        return to_json({name: value for name, value in known.items() if value}, fallback=str).decode()


class LineHandler(logging.Handler):
    """Hands every record on, in the form in which it may leave the process."""

    def __init__(self, take: Callable[[LogLine], None]) -> None:
        super().__init__()
        self._take = take

    def emit(self, record: logging.LogRecord) -> None:
        self._take(LogLine.of(record))


def install(level: str, *, on_azure: bool) -> None:
    """Make every handler of the root logger mask what it writes, and set what Zava's own loggers let through.

    On handlers, because a logger's filter does not see what other loggers pass on to it. The Functions worker adds its
    handler before it imports the app; a handler that is added later brings a filter of its own.
    """
    for handler in logging.getLogger().handlers:
        if not any(isinstance(known, MaskingFilter) for known in handler.filters):
            handler.addFilter(MaskingFilter())
            if on_azure:
                handler.setFormatter(JsonLines())
    logging.getLogger(OWN).setLevel(level)


def ship(take: Callable[[LogLine], None], *, on_azure: bool) -> Callable[[], None]:
    """Hand the records of Zava's loggers to `take`; call what is returned to stop it.

    On Azure they then go nowhere else. Elsewhere they are shown on the terminal as well.
    """
    own, handler = logging.getLogger(OWN), LineHandler(take)
    own.addHandler(handler)
    own.propagate = not on_azure

    def stop() -> None:
        own.removeHandler(handler)
        own.propagate = True

    return stop
