"""Reciprocal rank fusion: what holds for any rankings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zava.services.rank_fusion import fused

rankings = st.lists(st.lists(st.integers(0, 30), max_size=30, unique=True), max_size=4)


@given(rankings)
def test_everything_ranked_is_in_the_result_exactly_once(lists: list[list[int]]) -> None:
    assert sorted(fused(*lists)) == sorted({item for ranking in lists for item in ranking})


@given(st.lists(st.integers(), max_size=30, unique=True))
def test_a_single_ranking_stays_as_it_is(ranking: list[int]) -> None:
    assert fused(ranking) == fused(ranking, []) == fused([], ranking) == ranking


@given(rankings, st.randoms())
def test_no_ranking_counts_more_than_another(lists: list[list[int]], random: object) -> None:
    def scores(of: list[list[int]]) -> dict[int, float]:
        return {item: round(sum(1 / (61 + r.index(item)) for r in of if item in r), 12) for r in of for item in r}

    backwards = list(reversed(lists))
    assert scores(lists) == scores(backwards)
    one, other = fused(*lists), fused(*backwards)
    assert [scores(lists)[item] for item in one] == [scores(lists)[item] for item in other]


@given(rankings, st.integers(0, 30))
def test_what_is_ahead_in_every_ranking_is_ahead(lists: list[list[int]], item: int) -> None:
    assert fused(*([item, *(other for other in ranking if other != item)] for ranking in lists))[:1] == (
        [item] if lists else []
    )


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        pytest.param((["a", "b"], ["c", "b"]), ["b", "a", "c"], id="agreement beats a first place"),
        pytest.param((["a", "b"], ["b", "a"]), ["a", "b"], id="a tie keeps the order it is met in"),
        pytest.param((["a", "a", "b"],), ["a", "b"], id="a repeated item counts once"),
        pytest.param((), [], id="nothing"),
    ],
)
def test_orders_that_can_be_reckoned_by_hand(lists: tuple[list[str], ...], expected: list[str]) -> None:
    assert fused(*lists) == expected
