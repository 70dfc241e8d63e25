"""How a model's vector becomes a value of the column `description_embedding`. Written and asked through here alone."""

from __future__ import annotations

from array import array

from pgvector import Vector

COLUMN_DIMENSIONS = 1536


def column_vector(values: array[float]) -> Vector:
    """The vector, filled up with zeros: that leaves every cosine between vectors of one model as it is.

    Raises:
        ValueError: it is empty or has more dimensions than the column.
    """
    missing = COLUMN_DIMENSIONS - len(values)
    if not 0 <= missing < COLUMN_DIMENSIONS:
        raise ValueError(f"a vector of {len(values)} dimensions does not fit into one of {COLUMN_DIMENSIONS}")
    return Vector([*values, *[0.0] * missing])
