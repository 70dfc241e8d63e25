"""What the walk knows of an expression's value: about how large it may be, and whether it can be a row."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple


class Shape(Enum):
    """Members are told apart where `(x).f` or `unnest(x)` depends on it; see `Row` for rows with known columns."""

    FIXED = "one value of a fixed small size: a number, date, interval, boolean or uuid"
    PLAIN = "one value of any size that is no row: text, a range, a vector"
    DOCUMENT = "a json or jsonb value, whose texts are quoted already"
    ARRAY = "an array or multirange, whose elements are no rows"
    TSVECTOR = "a tsvector, which unnest() takes apart into three columns"
    TSQUERY = "a tsquery, which && and <-> join to a larger one"
    OPAQUE = "may be a row, or hold rows, of unknown columns"


class Row(NamedTuple):
    """A row of known columns. `named`: its type is the row type of a table, which stays known through subqueries."""

    columns: Mapping[str, Value]
    named: bool


class Value(NamedTuple):
    """`size` estimates the bytes the value may have; it is an upper bound for all that a query can build up.

    `element` does the same for the largest element of an array, where that is known. `weight` counts, for a column, the
    nodes that stand for one reference to it once PostgreSQL has put the expressions of subqueries in its place.
    """

    size: float
    shape: Shape | Row
    element: float = 0.0
    weight: float = 1.0

    def parts(self) -> float:
        """The size of an element of an array; of anything else, all of it may be one part."""
        return self.element or self.size


FIXED_SIZE: Final = 16.0
FIXED: Final = Value(FIXED_SIZE, Shape.FIXED)

# A named column of a query or table, in the order of `SELECT *`.
Column = tuple[str, Value]


class QueryResult(NamedTuple):
    """What a query returns: its columns, and about how many rows."""

    columns: list[Column]
    rows: float


def one_of(values: list[Value]) -> Value:
    """Any of the values: what CASE, COALESCE, GREATEST and polymorphic functions return."""
    if not values:
        return FIXED
    shape = common_shape(values)
    element = max(value.parts() for value in values) if shape is Shape.ARRAY else 0.0
    return Value(max(value.size for value in values), shape, element)


def common_shape(values: list[Value]) -> Shape | Row:
    """The shape of something made of `values` that keeps their type."""
    first = values[0].shape
    if all(value.shape is first for value in values):
        return Shape.OPAQUE if isinstance(first, Row) else first
    shapes = {value.shape if isinstance(value.shape, Shape) else Shape.OPAQUE for value in values}
    if Shape.OPAQUE in shapes:
        return Shape.OPAQUE
    # An untyped literal or NULL takes the type of what it stands beside.
    for shape in (Shape.ARRAY, Shape.DOCUMENT, Shape.TSVECTOR, Shape.TSQUERY):
        if shape in shapes:
            return shape
    return Shape.PLAIN


def array_of(values: list[Value], size: float) -> Value:
    """An array of `values`; of rows, no element's fields are known any more."""
    opaque = any(isinstance(value.shape, Row) or value.shape is Shape.OPAQUE for value in values)
    element = max((value.size for value in values), default=FIXED_SIZE)
    return Value(size, Shape.OPAQUE if opaque else Shape.ARRAY, element)


def element_of(value: Value, *, is_slice: bool) -> Value:
    """An element, or a slice, of an array; a key of a jsonb value."""
    if is_slice or not isinstance(value.shape, Shape):
        return one_of([value])
    keeps = value.shape in (Shape.OPAQUE, Shape.DOCUMENT)
    return Value(value.parts(), value.shape if keeps else Shape.PLAIN)
