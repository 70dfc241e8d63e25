"""Spelling: which words a misspelt one is taken for, and which are left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zava.errors import DatabaseUnavailableError, MCPError
from zava.services.spelling import ProductVocabulary, Vocabulary

WORDS = {
    "screwdriver": 20, "adjustable": 9, "hose": 7, "hole": 12, "home": 3, "toilet": 8, "miter": 4, "saw": 30,
    "dimmer": 3, "polyurethane": 5, "paint": 40, "print": 1, "drill": 25, "drywall": 11,
}  # fmt: skip
VOCABULARY = Vocabulary(WORDS)

MEANT = {
    "a letter too few": ("scrwdriver", ["screwdriver"]),
    "a letter too many": ("toiilet", ["toilet"]),
    "another letter": ("toilit", ["toilet"]),
    "two neighbours swapped": ("mitre", ["miter"]),
    "two mistakes in a long word": ("polyurathanne", ["polyurethane"]),
    "several that are as near, the frequent first": ("hoze", ["hole", "hose", "home"]),
}
LEFT_ALONE = {
    "two mistakes in a short word": "tolit",
    "three letters": "saq",
    "another first letter": "boilet",
    "digits": "dr1ll",
    "another alphabet": "дрель",
    "nothing like it": "gartenschlauch",
    "empty": "",
}


@pytest.mark.parametrize(("word", "expected"), MEANT.values(), ids=MEANT)
def test_a_misspelt_word_is_taken_for_the_nearest_known_ones(word: str, expected: list[str]) -> None:
    assert VOCABULARY.meant_by(word) == expected


@pytest.mark.parametrize("word", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_a_word_that_is_near_to_none_is_left_alone(word: str) -> None:
    assert VOCABULARY.meant_by(word) == []


@given(st.sampled_from([word for word in WORDS if len(word) >= 5]), st.data())
def test_any_one_mistake_after_the_first_letter_is_forgiven(word: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(word) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
    mistakes = [
        word[:place] + word[place + 1 :],
        word[:place] + letter + word[place:],
        word[:place] + letter + word[place + 1 :],
    ]
    for mistake in mistakes:
        if mistake not in WORDS and len(mistake) >= 4:
            assert word in VOCABULARY.meant_by(mistake), mistake


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    assert set(VOCABULARY.meant_by(text)) <= set(WORDS)


async def test_the_words_are_read_once_for_many_searches_and_again_after_ten_minutes() -> None:
    reads: list[int] = []
    now = [0.0]

    async def read() -> Mapping[str, int]:
        reads.append(1)
        await asyncio.sleep(0)
        return {"hammer": len(reads)}

    words = ProductVocabulary(read, clock=lambda: now[0])
    found = await asyncio.gather(*(words.current() for _ in range(5)))
    assert ("hammer" in found[0], len(reads)) == (True, 1)
    now[0] = 599
    await words.current()
    assert len(reads) == 1
    now[0] = 600
    old = await words.current()  # the new ones are read behind its back
    assert "hammer" in old
    await asyncio.sleep(0)
    assert len(reads) == 2


async def test_words_that_cannot_be_read_leave_spelling_as_it_is() -> None:
    async def read() -> Mapping[str, int]:
        raise DatabaseUnavailableError("away")

    assert (await ProductVocabulary(read).current()).meant_by("hamer") == []


async def test_words_that_could_not_be_read_are_read_again_after_half_a_minute() -> None:
    now = [0.0]
    answers = iter([DatabaseUnavailableError("away"), {"hammer": 1}])

    async def read() -> Mapping[str, int]:
        answer = next(answers)
        if isinstance(answer, MCPError):
            raise answer
        return answer

    words = ProductVocabulary(read, clock=lambda: now[0])
    found: list[bool] = []
    for now[0] in (0, 29, 30):
        found.append("hammer" in await words.current())
    assert found == [False, False, True]
