"""Padding: the column's size for every model, and no cosine changed by it."""

from __future__ import annotations

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zava.data.vectors import COLUMN_DIMENSIONS, column_vector

numbers = st.floats(-1, 1, width=32)
pairs = st.integers(1, 64).flatmap(
    lambda size: st.tuples(
        st.lists(numbers, min_size=size, max_size=size), st.lists(numbers, min_size=size, max_size=size)
    )
)


def cosine(one: list[float], other: list[float]) -> float:
    lengths = math.sqrt(sum(x * x for x in one)) * math.sqrt(sum(x * x for x in other))
    return sum(x * y for x, y in zip(one, other, strict=True)) / lengths if lengths else 0.0


@given(pairs)
def test_padding_changes_no_cosine(pair: tuple[list[float], list[float]]) -> None:
    one, other = (array("f", values) for values in pair)
    padded = column_vector(one).to_list(), column_vector(other).to_list()
    assert [len(values) for values in padded] == [COLUMN_DIMENSIONS] * 2
    assert cosine(*padded) == cosine(one.tolist(), other.tolist())


def test_a_vector_of_full_size_is_stored_as_it_is() -> None:
    values = array("f", range(COLUMN_DIMENSIONS))
    assert column_vector(values).to_list() == values.tolist()


@pytest.mark.parametrize("size", [0, COLUMN_DIMENSIONS + 1])
def test_a_vector_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} dimensions does not fit"):
        column_vector(array("f", [1.0] * size))
