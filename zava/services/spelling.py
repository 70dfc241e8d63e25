"""What a misspelt word was meant to be, among the words that product texts hold.

PostgreSQL's own means (pg_trgm, fuzzystrmatch) are extensions that the embedded server does not have.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping

from zava.errors import MCPError

logger = logging.getLogger(__name__)

_FRESH_SECONDS = 600.0
_AGAIN_SECONDS = 30.0  # after a reading that failed
_FIRST_WAIT_SECONDS = 2.0

_SHORTEST = 4  # a shorter word has too many neighbours
_LONG = 8  # from this length on a word may have two mistakes
_MOST_COMPARED = 200
_MOST_SUGGESTED = 3


class Vocabulary:
    """Words and how many products hold each."""

    def __init__(self, words: Mapping[str, int]) -> None:
        self._words = words
        self._by_pair: defaultdict[str, list[str]] = defaultdict(list)
        for word in words:
            for pair in set(_pairs(word)):
                self._by_pair[pair].append(word)

    def __contains__(self, word: str) -> bool:
        return word in self._words

    def meant_by(self, word: str) -> list[str]:
        """Known words that are nearest to a word of lower-case letters, the most frequent first; often none.

        One mistake is forgiven, two in a long word: a letter too many, too few, another one, or two neighbours swapped.
        The first letter is taken to be right, as it nearly always is.
        """
        if len(word) < _SHORTEST or not (word.isascii() and word.isalpha()):
            return []
        forgiven = 1 if len(word) < _LONG else 2
        shared: Counter[str] = Counter()
        for pair in _pairs(word):
            shared.update(self._by_pair.get(pair, ()))
        near = [
            (distance, -self._words[known], known)
            for known, _ in shared.most_common(_MOST_COMPARED)
            if known[0] == word[0]
            and abs(len(known) - len(word)) <= forgiven
            and (distance := _distance(word, known)) <= forgiven
        ]
        if not near:
            return []
        least = min(distance for distance, _, _ in near)
        return [known for distance, _, known in sorted(near) if distance == least][:_MOST_SUGGESTED]


def _pairs(word: str) -> Iterator[str]:
    framed = f"^{word}$"
    return (framed[start : start + 2] for start in range(len(framed) - 1))


def _distance(one: str, other: str) -> int:
    """Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours (Damerau, 1964)."""
    before: list[int] = []
    previous = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, known in enumerate(other, 1):
            least = min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (letter != known))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == known:
                least = min(least, before[column - 2] + 1)
            current.append(least)
        before, previous = previous, current
    return previous[-1]


class ProductVocabulary:
    """The catalogue's vocabulary, read with the first search and again every ten minutes, behind the searches' back."""

    def __init__(
        self, read: Callable[[], Awaitable[Mapping[str, int]]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._vocabulary: Vocabulary | None = None
        self._begun_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def current(self) -> Vocabulary:
        """The vocabulary; empty as long as it could not be read, which leaves spelling as it is."""
        now = self._clock()
        if now - self._begun_at >= _FRESH_SECONDS:
            self._begun_at = now
            self._reading = asyncio.get_running_loop().create_task(self._renew())
        reading = self._reading
        if self._vocabulary is None and reading is not None and reading.get_loop() is asyncio.get_running_loop():
            await asyncio.wait([reading], timeout=max(0.0, self._begun_at + _FIRST_WAIT_SECONDS - now))
        return self._vocabulary or Vocabulary({})

    async def _renew(self) -> None:
        try:
            words = await self._read()
            self._vocabulary = await asyncio.to_thread(Vocabulary, words)
        except MCPError as problem:
            self._begun_at += _AGAIN_SECONDS - _FRESH_SECONDS
            logger.warning("the words of the products could not be read: %s", problem.message)
