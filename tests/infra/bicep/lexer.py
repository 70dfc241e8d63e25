"""Bicep text to tokens. A token of kind `text` holds its literal parts and, between them, lists of tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tests.infra.bicep.syntax import BicepError

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"\d+")
_BLANK = re.compile(r"[ \t]+|//[^\r\n]*|#disable-next-line\b[^\r\n]*")
_LINES = re.compile(r"[\r\n][\s]*")
_UNICODE = re.compile(r"\\u\{([0-9A-Fa-f]+)\}")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", "$": "$"}
_PUNCTUATION = (
    *("==", "!=", "=~", "!~", "<=", ">=", "&&", "||", "??", ".?", "::"),
    *("{", "}", "[", "]", "(", ")", ":", ",", ".", "=", "@", "?", "!", "+", "-", "*", "/", "%", "<", ">"),
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: str  # word, number, text, newline, end, or the punctuation itself
    value: Any
    at: int


def tokens(source: str) -> list[Token]:
    """Raises BicepError where the text is no Bicep."""
    found, _ = _tokens_until(source, 0, closing=None)
    return found


def _tokens_until(source: str, at: int, closing: str | None) -> tuple[list[Token], int]:
    """The tokens up to `closing` at this depth, or to the end; and the offset after them."""
    start, depth = at, 0
    found: list[Token] = []
    while at < len(source):
        if closing and depth == 0 and source[at] == closing:
            return [*found, Token("end", None, at)], at + 1
        if blank := _BLANK.match(source, at):
            at = blank.end()
            continue
        token, at = _next(source, at)
        depth += {"{": 1, "}": -1}.get(token.kind, 0)
        found.append(token)
    if closing:
        raise BicepError("unterminated interpolation", start)
    return [*found, Token("end", None, at)], at


def _next(source: str, at: int) -> tuple[Token, int]:
    if lines := _LINES.match(source, at):
        return Token("newline", None, at), lines.end()
    if number := _NUMBER.match(source, at):
        return Token("number", int(number.group()), at), number.end()
    if word := _WORD.match(source, at):
        return Token("word", word.group(), at), word.end()
    if source[at] == "'":
        return _text(source, at)
    for mark in _PUNCTUATION:
        if source.startswith(mark, at):
            return Token(mark, mark, at), at + len(mark)
    raise BicepError(f"unexpected character {source[at]!r}", at)


def _text(source: str, start: int) -> tuple[Token, int]:
    if source.startswith("'''", start):
        raise BicepError("multi-line strings are not known here: keep the text in a file and load it", start)
    parts: list[str | list[Token]] = []
    literal, at = "", start + 1
    while True:
        if at >= len(source) or source[at] in "\r\n":
            raise BicepError("unterminated string", start)
        if source[at] == "'":
            return Token("text", [*parts, literal], start), at + 1
        if source[at] == "\\":
            character, at = _escape(source, at)
            literal += character
        elif source.startswith("${", at):
            inner, at = _tokens_until(source, at + 2, closing="}")
            parts += [literal, inner]
            literal = ""
        else:
            literal += source[at]
            at += 1


def _escape(source: str, at: int) -> tuple[str, int]:
    if code := _UNICODE.match(source, at):
        return chr(int(code.group(1), 16)), code.end()
    character = _ESCAPES.get(source[at + 1 : at + 2])
    if character is None:
        raise BicepError("unknown escape", at)
    return character, at + 2
