"""BERT's uncased tokenizer: words, then the longest known pieces of each (Devlin et al., 2018; `bert-base-uncased`)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_LONGEST_WORD = 100
_LONGEST_TEXT = 8_192
"""Characters: enough for every piece the model reads, and a bound on the work for a text of megabytes."""


class WordPiece:
    """Turns texts into the ids of word pieces, between the ids of `[CLS]` and `[SEP]`.

    Args:
        vocabulary: one piece a line, its id the number of the line; a piece that continues a word starts with `##`.
        most: ids of one text, the two frames included; what goes beyond is cut off.
    """

    def __init__(self, vocabulary: str, most: int) -> None:
        self._ids = {piece: number for number, piece in enumerate(vocabulary.split("\n"))}
        self._unknown = self._ids["[UNK]"]
        self._begin, self._end = self._ids["[CLS]"], self._ids["[SEP]"]
        self._most = most
        self._pieces = lru_cache(maxsize=20_000)(self._pieces_of)

    def ids(self, text: str) -> list[int]:
        ids = [self._begin]
        for word in _words(text[:_LONGEST_TEXT]):
            ids += self._pieces(word)
            if len(ids) >= self._most:
                break
        return [*ids[: self._most - 1], self._end]

    def _pieces_of(self, word: str) -> tuple[int, ...]:
        pieces: list[int] = []
        start = 0
        while start < len(word) <= _LONGEST_WORD:
            prefix = "##" if start else ""
            stop = len(word)
            while stop > start and prefix + word[start:stop] not in self._ids:
                stop -= 1
            if stop == start:
                return (self._unknown,)
            pieces.append(self._ids[prefix + word[start:stop]])
            start = stop
        return tuple(pieces) or (self._unknown,)


def _words(text: str) -> Iterator[str]:
    """Lower-case words without accents; a punctuation mark or a Chinese character is a word of its own."""
    letters: list[str] = []
    for character in unicodedata.normalize("NFD", text.lower()):
        category = unicodedata.category(character)
        if category == "Mn" or character == "\ufffd" or (category[0] == "C" and character not in "\t\n\r"):
            continue
        alone = _stands_alone(character, category)
        if not (alone or character.isspace()):
            letters.append(character)
            continue
        if letters:
            yield "".join(letters)
            letters.clear()
        if alone:
            yield character
    if letters:
        yield "".join(letters)


def _stands_alone(character: str, category: str) -> bool:
    code = ord(character)
    ascii_sign = code < 128 and not (character.isalnum() or character.isspace()) and code > 32
    chinese = 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0xF900 <= code <= 0xFAFF or code >= 0x20000
    return ascii_sign or category[0] == "P" or (chinese and category == "Lo")
