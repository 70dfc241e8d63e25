"""How many digits a number may have.

A numeric is short in the database and long as text: `1e131071` is ten bytes and prints 131 072 digits. So the size of a
number is that of its text, and it is followed through arithmetic, casts and JSON.
"""

from __future__ import annotations

from typing import Final

from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.literals import literal_text, upper_bound
from zava.data.sql_policy.values import FIXED, FIXED_SIZE, Shape, Value

# The longest text of a numeric: 131 072 digits before the point, 16 383 after it.
MAX_DIGITS: Final = 150_000.0
# Nine characters, ",1e131071", may become this many digits each when a text is read as numbers.
_DIGITS_A_CHARACTER: Final = MAX_DIGITS / 9

_DIGIT_MAKERS: Final = frozenset("power pow exp factorial round trunc lcm to_number numeric".split())
_EXPONENTIAL_DIGITS: Final = 4_000.0
# The depth that PostgreSQL's stack lets a document have.
_DEEPEST_DOCUMENT: Final = 10_000
_DIGITS: Final = frozenset("0123456789")

# Types whose values print with any number of digits; a text cast to one of the second kind may hold many numbers.
NUMERIC_TYPES: Final = frozenset({"numeric", "decimal"})
COMPOSED_TYPES: Final = frozenset({"json", "jsonb", "numrange", "nummultirange"})


def text_size(text: str) -> float:
    """The size of a literal, including the digits of the numbers with an exponent that may be read from it."""
    size = float(len(text))
    # jsonb_pretty() indents a document by its depth.
    depth = min(text.count("[") + text.count("{"), _DEEPEST_DOCUMENT)
    size += 2.0 * depth * depth
    if ("e" in text or "E" in text) and not _DIGITS.isdisjoint(text):
        for tail in text.lower().replace("_", "").split("e")[1:]:
            digits = tail.lstrip("+-")
            digits = digits[: len(digits) - len(digits.lstrip("0123456789"))]
            if len(digits) > 2:
                size += min(float(digits), MAX_DIGITS)
    return size


def number(size: float) -> Value:
    return Value(min(max(size, FIXED_SIZE), MAX_DIGITS), Shape.FIXED)


def cast_value(node: Node, value: Value, name: str, target: Value) -> Value:
    """`node`, of `value`, cast to the type `name`, whose values have at least `target`'s size, and its shape."""
    literal = literal_text(node) is not None
    if name in NUMERIC_TYPES and target.shape is Shape.FIXED:
        if value.shape is Shape.FIXED or literal:
            return number(max(value.size, target.size))
        return number(MAX_DIGITS)
    if target.shape is Shape.FIXED:
        return target
    size = value.size
    if not literal and value.shape is not Shape.FIXED:
        if name in COMPOSED_TYPES or name in NUMERIC_TYPES:
            size *= 1.0 if value.shape is Shape.DOCUMENT else _DIGITS_A_CHARACTER
        elif value.shape not in (Shape.PLAIN, Shape.DOCUMENT) or name == "bytea":
            size *= 2  # rows and arrays quote their texts, and bytea prints as hexadecimal digits
    return Value(max(size, target.size), target.shape)


def arithmetic(operator: str, left: Value, right: Value, exponent: Node) -> Value:
    """The number that `left operator right` gives."""
    if operator == "*":
        return number(left.size + right.size)
    if operator == "^":
        return power(left, exponent)
    return left if left.size >= right.size else right


def power(base: Value, exponent: Node) -> Value:
    """A power has as many times the digits of its base as the exponent says."""
    return number(base.size * max(1.0, abs(upper_bound(exponent))))


def numeric_call(name: str, arguments: list[Node], values: list[Value]) -> Value:
    """What a function of the class FIXED returns: digits only come from numbers."""
    widest = FIXED_SIZE
    for position, value in enumerate(values):
        if value.size > widest and (value.shape is Shape.FIXED or _is_literal(arguments, position)):
            widest = value.size
    if name not in _DIGIT_MAKERS:
        return FIXED if widest == FIXED_SIZE else number(widest)
    match name:
        case "power" | "pow" if len(arguments) > 1:
            return power(values[0], arguments[1])
        case "exp" | "factorial":
            # exp() overflows beyond 2 605 digits, and a factorial with more takes longer than it is large.
            return number(_EXPONENTIAL_DIGITS)
        case "round" | "trunc" if len(arguments) > 1:
            return number(widest + max(0.0, min(upper_bound(arguments[1]), MAX_DIGITS)))
        case "lcm" | "to_number":
            return number(sum(value.size for value in values))
        case "numeric":
            return cast_value(arguments[0], values[0], "numeric", FIXED) if arguments else FIXED
        case _:
            return number(widest)


def _is_literal(arguments: list[Node], position: int) -> bool:
    """Whether an argument is a text without a type, which may be read as a number; ORDER BY values come after them."""
    return position < len(arguments) and literal_text(arguments[position]) is not None
