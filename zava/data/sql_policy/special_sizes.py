"""The sizes of what particular functions return: those that pad, repeat, fill, replace or join."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from zava.data.sql_policy.digits import cast_value, numeric_call
from zava.data.sql_policy.functions import FUNCTIONS, Result
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.growth import ESCAPE_GROWTH, bounded, written
from zava.data.sql_policy.limits import MAX_ARRAY_FILL, MAX_LITERAL_SIZE, MAX_SERIES, MAX_WIDTH
from zava.data.sql_policy.literals import literal_number, literal_text, series_rows, upper_bound
from zava.data.sql_policy.values import FIXED, FIXED_SIZE, Shape, Value, array_of
from zava.data.sql_policy.verdict import Refusal

SIZE_MAKERS: Final = frozenset({"repeat", "lpad", "rpad"})
# Bytes that a date pattern may become: "Month" is padded to nine, "J" becomes seven digits.
_PATTERN_GROWTH: Final = 8.0
_INDENT_GROWTH: Final = 8.0


def _series(_name: str, arguments: list[Node], values: list[Value]) -> Value:
    rows, literal = series_rows(arguments)
    if literal and rows > MAX_SERIES:
        raise Refusal(
            "long_series",
            f"generate_series of {rows:.0f} rows",
            f"Keep generate_series below {MAX_SERIES} rows: use a larger step or take the bounds from the data.",
        )
    return numeric_call("generate_series", arguments, values)


def _sized(name: str, arguments: list[Node], values: list[Value]) -> Value:
    limit = literal_size(name, arguments, MAX_LITERAL_SIZE)
    size = max(0.0, limit) * values[0].size if name == "repeat" else max(0.0, limit) * 4 + values[-1].size
    return bounded(size + FIXED_SIZE, Shape.PLAIN, name)


def literal_size(name: str, arguments: list[Node], limit: float) -> float:
    """The size that repeat, lpad or rpad is given.

    Raises:
        Refusal: `size_argument` when it is neither a literal nor `least(..., literal)`, or exceeds `limit`.
    """
    size = upper_bound(arguments[1]) if len(arguments) > 1 and "NamedArgExpr" not in arguments[1] else limit + 1
    if size > limit:
        raise Refusal(
            "size_argument",
            name,
            f"Give {name}() a literal size of at most {limit}, or bound it: least(n, {limit}).",
        )
    return size


def _elements(name: str, _arguments: list[Node], values: list[Value]) -> Value:
    opaque = any(not isinstance(value.shape, Shape) or value.shape is Shape.OPAQUE for value in values)
    return bounded(sum(value.parts() for value in values), Shape.OPAQUE if opaque else Shape.PLAIN, name)


def _array_fill(name: str, arguments: list[Node], values: list[Value]) -> Value:
    dimensions = arguments[1].get("A_ArrayExpr", {}).get("elements", []) if len(arguments) > 1 else []
    elements = 1.0 if dimensions else MAX_ARRAY_FILL + 1.0
    for dimension in dimensions:
        number = literal_number(dimension)
        elements *= MAX_ARRAY_FILL + 1.0 if number is None else max(1.0, number)
    if elements > MAX_ARRAY_FILL:
        raise Refusal(
            "size_argument",
            name,
            f"Give array_fill() literal dimensions, ARRAY[n], of at most {MAX_ARRAY_FILL} elements in all.",
        )
    value = array_of(values[:1], elements * max(values[0].size, FIXED_SIZE))
    return bounded(value.size, value.shape, name, value.element)


def _format(name: str, arguments: list[Node], values: list[Value]) -> Value:
    template = literal_text(arguments[0]) if arguments else None
    if template is None or _widest_field(template) > MAX_WIDTH:
        raise Refusal(
            "format_string",
            name,
            f"Give format() a literal template with %s, %I or %L and widths of at most {MAX_WIDTH}, or use ||.",
        )
    widest = max((value.size for value in values[1:]), default=0.0)
    return bounded(len(template) + template.count("%") * (widest * ESCAPE_GROWTH + MAX_WIDTH), Shape.PLAIN, name)


def _widest_field(template: str) -> float:
    """The largest width in a format() template; infinite for `*`, which takes it from an argument."""
    widest = 0.0
    for field in template.replace("%%", "").split("%")[1:]:
        position, dollar, rest = field.partition("$")
        width = (rest if dollar and position.isdigit() else field).lstrip("-")
        if width.startswith("*"):
            return float("inf")
        digits = len(width) - len(width.lstrip("0123456789"))
        widest = max(widest, float(width[:digits] or 0))
    return widest


def _percentile(_name: str, _arguments: list[Node], values: list[Value]) -> Value:
    """percentile_cont of an array of fractions is an array."""
    return Value(values[0].size * 2, Shape.ARRAY) if values and values[0].shape is Shape.ARRAY else FIXED


def _replacing(name: str, arguments: list[Node], values: list[Value]) -> Value:
    """Each character, or each place between two, may become the replacement."""
    if len(values) < 3:
        return bounded(sum(value.size for value in values) + FIXED_SIZE, Shape.PLAIN, name)
    pattern = literal_text(arguments[1]) or ""
    shortest = max(1, len(pattern)) if name == "replace" else 1
    growth = max(1.0, values[2].size / shortest) if name == "replace" else 1.0 + values[2].size
    return bounded(values[0].size * growth + FIXED_SIZE, Shape.PLAIN, name)


def _joining(name: str, _arguments: list[Node], values: list[Value]) -> Value:
    """One text goes between or around the parts of another, or a path computes with the numbers of a document."""
    longest = max((value.size for value in values[1:]), default=0.0)
    shape = Shape.DOCUMENT if FUNCTIONS[name] is Result.DOCUMENT else Shape.PLAIN
    return bounded(written(values[:1]) * max(1.0, longest / 4) + FIXED_SIZE, shape, name)


def _separated(name: str, _arguments: list[Node], values: list[Value]) -> Value:
    """concat_ws writes its first argument between the others, which may be one array of many."""
    total = written(values)
    return bounded(total + (values[0].size * total / 4 if values else 0.0) + FIXED_SIZE, Shape.PLAIN, name)


def _indented(name: str, _arguments: list[Node], values: list[Value]) -> Value:
    """jsonb_pretty writes a line for each part; the depth of a document is in its size already."""
    return bounded(sum(value.size for value in values) * _INDENT_GROWTH, Shape.PLAIN, name)


def _composed(name: str, arguments: list[Node], values: list[Value]) -> Value:
    """A text read as JSON, by a call that is a cast."""
    target = Value(FIXED_SIZE, Shape.PLAIN if name == "bytea" else Shape.DOCUMENT)
    return bounded(cast_value(arguments[0], values[0], name, target).size, target.shape, name) if arguments else target


def _pattern(name: str, _arguments: list[Node], values: list[Value]) -> Value:
    return bounded(sum(value.size for value in values[1:]) * _PATTERN_GROWTH + FIXED_SIZE, Shape.PLAIN, name)


SPECIAL_SIZES: Final[Mapping[str, Callable[[str, list[Node], list[Value]], Value]]] = {
    "generate_series": _series,
    "repeat": _sized,
    "lpad": _sized,
    "rpad": _sized,
    "array_fill": _array_fill,
    "unnest": _elements,
    "format": _format,
    "replace": _replacing,
    "regexp_replace": _replacing,
    "array_to_string": _joining,
    "ts_headline": _joining,
    "percentile_cont": _percentile,
    "to_char": _pattern,
    "concat_ws": _separated,
    "jsonb_pretty": _indented,
    "json": _composed,
    "jsonb": _composed,
    "bytea": _composed,
    "jsonb_path_query": _joining,
    "jsonb_path_query_array": _joining,
    "jsonb_path_query_first": _joining,
    "jsonb_path_query_tz": _joining,
    "jsonb_path_query_array_tz": _joining,
    "jsonb_path_query_first_tz": _joining,
}
