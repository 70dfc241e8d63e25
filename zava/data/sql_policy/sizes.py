"""The size and shape of what a function returns, by the class of its result."""

from __future__ import annotations

from typing import Final

from zava.data.sql_policy.digits import numeric_call
from zava.data.sql_policy.functions import FUNCTIONS, ROW_COLUMNS, Result
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.growth import ESCAPE_GROWTH, bounded, quoted, written
from zava.data.sql_policy.literals import series_rows
from zava.data.sql_policy.scope import Scope
from zava.data.sql_policy.special_sizes import SPECIAL_SIZES
from zava.data.sql_policy.values import FIXED_SIZE, Row, Shape, Value, array_of, common_shape

# An array takes at most this many times the text it was cut from.
_ARRAY_GROWTH: Final = 8.0
_ARRAY_AGGREGATES: Final = frozenset({"array_agg", "range_agg"})
_SHAPES: Final = {
    Result.DOCUMENT: Shape.DOCUMENT,
    Result.TSVECTOR: Shape.TSVECTOR,
    Result.TSQUERY: Shape.TSQUERY,
}


def call_value(name: str, arguments: list[Node], values: list[Value], scope: Scope) -> Value:
    """What `name(arguments)` returns in `scope`, given the values of the arguments.

    Raises:
        Refusal: `size_argument`, `format_string`, `long_series` or `value_too_large`.
    """
    special = SPECIAL_SIZES.get(name)
    if special is not None:
        return special(name, arguments, values)
    result = FUNCTIONS[name]
    if result is Result.FIXED:
        return numeric_call(name, arguments, values)
    total = sum([value.size for value in values])
    match result:
        case Result.TEXT:
            return bounded(written(values) + FIXED_SIZE, Shape.PLAIN, name)
        case Result.BUILT:
            return bounded(quoted(values) + FIXED_SIZE, Shape.DOCUMENT, name)
        case Result.DOCUMENT | Result.TSVECTOR | Result.TSQUERY:
            return bounded(total + FIXED_SIZE, _SHAPES[result], name)
        case Result.ESCAPED:
            return bounded(total * ESCAPE_GROWTH + FIXED_SIZE, Shape.PLAIN, name)
        case Result.ARRAY:
            return bounded(total * _ARRAY_GROWTH + FIXED_SIZE, Shape.ARRAY, name, total)
        case Result.ELEMENT:
            element = max((value.parts() for value in values), default=FIXED_SIZE)
            return bounded(total + FIXED_SIZE, common_shape(values) if values else Shape.PLAIN, name, element)
        case Result.COLLECTED:
            return _collected(name, values, scope.rows)
        case Result.ROW:
            column = Value(total + FIXED_SIZE, Shape.PLAIN)
            return Value(column.size, Row(dict.fromkeys(ROW_COLUMNS[name], column), named=False))
        case Result.RECORD:
            return Value(total + FIXED_SIZE, Shape.OPAQUE)


def _collected(name: str, values: list[Value], rows: float) -> Value:
    """What an aggregate makes of the values of so many rows."""
    total = sum(value.size for value in values)
    if name in _ARRAY_AGGREGATES:
        array = array_of(values, (total + FIXED_SIZE) * rows)
        return bounded(array.size, array.shape, name, array.element)
    if name.startswith("json"):
        return bounded((quoted(values) + FIXED_SIZE) * rows, Shape.DOCUMENT, name)
    return bounded((total + FIXED_SIZE) * rows, Shape.PLAIN, name)


def set_rows(name: str, arguments: list[Node], values: list[Value]) -> float:
    """How many rows a call of a set-returning function may have."""
    if name == "generate_series":
        return series_rows(arguments)[0]
    # An element of an array counts for at least sixteen bytes, a part of a text for a few characters.
    return max(1.0, sum(value.size / (16 if value.shape is Shape.ARRAY else 4) for value in values))
