"""PostgreSQL's own grammar: the libpg_query library that the postgast wheel carries, called directly.

Importing the package itself costs 60-90 ms, nearly all of it for protobuf classes that nothing here needs; the library
loads in two. Its JSON tree leaves fields out that have their default, so every key present says something. Calls hold
the GIL (`PyDLL`): they take microseconds, and the library is never in two threads at once.
"""

from __future__ import annotations

import ctypes
import importlib.util
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic_core import from_json

from zava.data.sql_policy.verdict import Refusal

# One node of the tree: its fields, or `{"Kind": {fields}}` where the grammar allows several kinds.
Node = dict[str, Any]

# A list of 10 000 numbers; reading more takes too long.
_MAX_TREE_BYTES: Final = 600_000

# Keys of protobuf fields: number * 8, plus 2 for a field with a length.
_TOKENS: Final = 2 * 8 + 2
_TOKEN_PLACE: Final = {1 * 8: 0, 2 * 8: 1}
_MORE: Final = 128

_LIBRARY_NAMES: Final = {"Darwin": "libpg_query.dylib", "Windows": "pg_query.dll"}


class _Error(ctypes.Structure):
    _fields_ = (
        ("message", ctypes.c_char_p),
        ("funcname", ctypes.c_char_p),
        ("filename", ctypes.c_char_p),
        ("lineno", ctypes.c_int),
        ("cursorpos", ctypes.c_int),
        ("context", ctypes.c_char_p),
    )


class _ParseResult(ctypes.Structure):
    _fields_ = (
        ("tree", ctypes.c_char_p),
        ("stderr", ctypes.c_char_p),
        ("error", ctypes.POINTER(_Error)),
    )


class _ScanResult(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("stderr", ctypes.c_char_p),
        ("error", ctypes.POINTER(_Error)),
    )


class _FingerprintResult(ctypes.Structure):
    _fields_ = (
        ("number", ctypes.c_uint64),
        ("text", ctypes.c_char_p),
        ("stderr", ctypes.c_char_p),
        ("error", ctypes.POINTER(_Error)),
    )


def _load() -> ctypes.PyDLL:
    package = importlib.util.find_spec("postgast")
    if package is None or package.origin is None:
        raise ImportError("postgast is not installed")
    library = ctypes.PyDLL(str(Path(package.origin).with_name(_LIBRARY_NAMES.get(platform.system(), "libpg_query.so"))))
    for name, result in (
        ("parse", _ParseResult),
        ("scan", _ScanResult),
        ("fingerprint", _FingerprintResult),
    ):
        call, free = getattr(library, f"pg_query_{name}"), getattr(library, f"pg_query_free_{name}_result")
        call.argtypes, call.restype = (ctypes.c_char_p,), result
        free.argtypes, free.restype = (result,), None
    return library


_library: Final = _load()


def parse(text: bytes) -> list[Node]:
    """The statements of `text`, which `limits.check_text` has passed: each `{"stmt", "stmt_location", "stmt_len"}`.

    Raises:
        Refusal: `syntax` with PostgreSQL's message, `too_deep` when the tree has more than 200 levels of JSON, or
            `too_long` when it has too many parts.
    """
    result = _library.pg_query_parse(text)
    try:
        if result.error:
            raise _syntax_error(result.error)
        text_of_tree: bytes = result.tree
        if len(text_of_tree) > _MAX_TREE_BYTES:
            raise Refusal("too_long", "number of parts", "Name fewer columns, values and tables in one query.")
        tree: Node = from_json(text_of_tree)
    except ValueError:
        raise Refusal("too_deep", "nesting", "Split the query into CTEs: it is nested too deeply.") from None
    finally:
        _library.pg_query_free_parse_result(result)
    return tree.get("stmts", [])


def code(text: bytes) -> Iterator[bytes]:
    """The tokens of `text` but its literals, comments and quoted names, as PostgreSQL's scanner tells them apart.

    Raises:
        Refusal: `syntax` when one of them is not closed.
    """
    result = _library.pg_query_scan(text)
    try:
        if result.error:
            raise _syntax_error(result.error)
        tokens = ctypes.string_at(result.data, result.length)
    finally:
        _library.pg_query_free_scan_result(result)
    return (
        token
        for start, end in _places(tokens)
        if not (token := text[start:end]).startswith((b"$", b"--", b"/*")) and b"'" not in token and b'"' not in token
    )


def _places(message: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each token in a ScanResult: field 2 of it, fields 1 and 2 of a ScanToken (protobuf encoding)."""
    position = 0
    while position < len(message):
        key, position = message[position], position + 1
        value, position = _number(message, position)
        if key != _TOKENS:
            continue
        stop = position + value
        place = [0, 0]
        while position < stop:
            key, position = message[position], position + 1
            value, position = _number(message, position)
            if key in _TOKEN_PLACE:
                place[_TOKEN_PLACE[key]] = value
        yield place[0], place[1]


def _number(message: bytes, position: int) -> tuple[int, int]:
    """The base-128 number at a position, and where the next field starts."""
    byte = message[position]
    if byte < _MORE:
        return byte, position + 1
    value, shift = byte - _MORE, 7
    while True:
        position += 1
        byte = message[position]
        if byte < _MORE:
            return value + (byte << shift), position + 1
        value += (byte - _MORE) << shift
        shift += 7


def fingerprint(text: bytes) -> str:
    """The same 16 hexadecimal digits for all queries of one structure."""
    result = _library.pg_query_fingerprint(text)
    try:
        return "" if result.error else result.text.decode()
    finally:
        _library.pg_query_free_fingerprint_result(result)


def _syntax_error(error: ctypes._Pointer[_Error]) -> Refusal:
    message = error.contents.message.decode(errors="replace")
    return Refusal("syntax", _near(message), f"PostgreSQL says: {message[:200]}; correct the query.")


def _near(message: str) -> str:
    """The fragment a syntax error quotes: `syntax error at or near "FORM"`."""
    _, found, rest = message.partition(' at or near "')
    return rest.removesuffix('"') if found else message
