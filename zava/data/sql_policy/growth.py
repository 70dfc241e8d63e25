"""The one limit on how large a value may grow, and what a value grows by when it is written into another.

`repeat('x', 1000000000)` takes a gigabyte in an instant, and so do ten nested `repeat('x', 1000)`, a `string_agg` over
a cross join, or `s || s` in a recursive query. Literal sizes have a limit (`special_sizes`), and a rough estimate
follows every value through expressions, subqueries and CTEs: what would exceed `MAX_VALUE_BYTES` is refused. The
estimate errs on the small side where data alone decides. Whatever only burns time is ended by `statement_timeout`.
"""

from __future__ import annotations

from typing import Final

from zava.data.sql_policy.limits import MAX_VALUE_BYTES
from zava.data.sql_policy.values import Row, Shape, Value, common_shape
from zava.data.sql_policy.verdict import Refusal

# Quoting doubles quotes and backslashes.
ESCAPE_GROWTH: Final = 2.0
_WRITTEN_AS_IS: Final = (Shape.FIXED, Shape.PLAIN, Shape.DOCUMENT)


def bounded(size: float, shape: Shape | Row, piece: str, element: float = 0.0) -> Value:
    """A value of this size, if a backend may hold it.

    Raises:
        Refusal: `value_too_large`.
    """
    if not size <= MAX_VALUE_BYTES:  # written so that NaN is refused
        raise Refusal(
            "value_too_large",
            piece,
            "Build smaller values: aggregate over fewer rows (join on keys, or LIMIT in a subquery), and do not "
            "concatenate a value with itself.",
        )
    return Value(size, shape, element)


def quoted(values: list[Value]) -> float:
    """The size of the values inside a document: texts, and those in rows and arrays, are quoted."""
    return sum(
        [value.size * (1.0 if value.shape in (Shape.FIXED, Shape.DOCUMENT) else ESCAPE_GROWTH) for value in values]
    )


def written(values: list[Value]) -> float:
    """The size of the values written out: rows and arrays quote the texts in them."""
    return sum([value.size * (1.0 if value.shape in _WRITTEN_AS_IS else ESCAPE_GROWTH) for value in values])


def joined(left: Value, right: Value, operator: str) -> Value:
    """What `left || right`, or another operator that joins, gives: a row beside a text is written out."""
    shape = common_shape([left, right])
    size = (left.size + right.size) * (ESCAPE_GROWTH if shape is Shape.OPAQUE else 1.0)
    element = max(left.parts(), right.parts()) if shape is Shape.ARRAY else 0.0
    return bounded(size, shape, operator, element)
