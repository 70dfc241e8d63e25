"""Reads a request's JSON strictly, so that everything behind it sees exactly one meaning of the text."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from pydantic_core import from_json

_DEEPEST = 200
"""Levels of nesting, which is also where the parser of `pydantic_core` stops."""

# U+0000 is legal in JSON and in nothing behind it: PostgreSQL's text, HTTP headers and log lines all end there.
_NUL_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON text (RFC 8259).

    Raises:
        ValueError: it is not UTF-8, has a byte order mark, is no JSON (NaN and Infinity are none), holds a lone
            surrogate, a null character, a key twice in one object, a number beyond a float or 4 300 digits, or nests
            deeper than 200.
    """
    # Python's parser overlooks lone surrogates and, up to the recursion limit, depth. The other parser, which
    # overlooks doubled keys, is asked about a body that could hold either.
    if b"\\u" in body:
        if _NUL_ESCAPE.search(body):
            raise ValueError("null character")
        from_json(body)
    elif body.count(b"[") + body.count(b"{") > _DEEPEST:
        from_json(body)
    return _READER.decode(body.decode())


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return members


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is beyond a float")
    return number


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_READER = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_float=_finite, parse_constant=_no_number)
