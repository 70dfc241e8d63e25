"""PostgreSQL's values as JSON values: finite numbers, ISO dates, text for everything that JSON has no form for."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

from pydantic import JsonValue
from pydantic_core import to_jsonable_python

_LARGEST_EXACT_DIGITS = 18  # an integral numeric up to here becomes an int, so that no digit of an amount is lost


# asyncpg's stand-ins for PostgreSQL's infinite dates and timestamps
_INFINITE = {
    dt.date.max: "infinity",
    dt.date.min: "-infinity",
    dt.datetime.max: "infinity",  # noqa: DTZ901
    dt.datetime.min: "-infinity",  # noqa: DTZ901
}


def json_value(value: object) -> JsonValue:
    """One decoded scalar as JSON. NaN and the infinities are null; a numeric beyond a double's range is text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, dt.date):
        return (
            _INFINITE.get(value.replace(tzinfo=None) if isinstance(value, dt.datetime) else value) or value.isoformat()
        )
    return to_jsonable_python(value, fallback=str)


def _number(value: Decimal) -> JsonValue:
    if not value.is_finite():
        return None
    if value.adjusted() > 307:
        return f"{value:.15E}"
    if value == value.to_integral_value() and value.adjusted() < _LARGEST_EXACT_DIGITS:
        return int(value)
    return float(value)
