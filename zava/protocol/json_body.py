"""Reads a request's JSON strictly, so that everything behind it sees exactly one meaning of the text."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from pydantic_core import from_json

# U+0000 is legal in JSON and in nothing behind it: PostgreSQL's text, HTTP headers and log lines all end there.
_NUL_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON text (RFC 8259).

    Raises:
        ValueError: it is not UTF-8, has a byte order mark, is no JSON (NaN and Infinity are none), holds a lone
            surrogate, a null character, a key twice in one object, a number beyond a float or 4 300 digits, or nests
            deeper than 200.
    """
    # Two parsers, each for what the other lets pass. The first, in Rust, judges encoding, grammar, surrogates, depth.
    from_json(body, allow_inf_nan=False)
    if rb"\u0000" in body and _NUL_ESCAPE.search(body):
        raise ValueError("null character")
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


_READER = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_float=_finite)
