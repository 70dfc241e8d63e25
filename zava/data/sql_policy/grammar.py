"""PostgreSQL's own grammar: the libpg_query library that the postgast wheel carries, called directly.

Importing the package itself costs 60-90 ms, nearly all of it for protobuf classes that nothing here needs; the library
loads in two. Its JSON tree leaves fields out that have their default, so every key present says something. Calls hold
the GIL (`PyDLL`): they take microseconds, and the library is never in two threads at once.
"""

from __future__ import annotations

import ctypes
import importlib.util
import platform
from pathlib import Path
from typing import Any, Final

from pydantic_core import from_json

from zava.data.sql_policy.verdict import Refusal

# One node of the tree: its fields, or `{"Kind": {fields}}` where the grammar allows several kinds.
Node = dict[str, Any]

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
    for name, result in (("parse", _ParseResult), ("fingerprint", _FingerprintResult)):
        call, free = getattr(library, f"pg_query_{name}"), getattr(library, f"pg_query_free_{name}_result")
        call.argtypes, call.restype = (ctypes.c_char_p,), result
        free.argtypes, free.restype = (result,), None
    return library


_library: Final = _load()


def parse(text: bytes) -> list[Node]:
    """The statements of `text`, which `limits.check_text` has passed: each `{"stmt", "stmt_location", "stmt_len"}`.

    Raises:
        Refusal: `syntax` with PostgreSQL's message, or `too_deep` when the tree has more than 200 levels of JSON.
    """
    result = _library.pg_query_parse(text)
    try:
        if result.error:
            message = result.error.contents.message.decode(errors="replace")
            raise Refusal("syntax", _near(message), f"PostgreSQL says: {message[:200]}; correct the query.")
        tree: Node = from_json(result.tree)
    except ValueError:
        raise Refusal("too_deep", "nesting", "Split the query into CTEs: it is nested too deeply.") from None
    finally:
        _library.pg_query_free_parse_result(result)
    return tree.get("stmts", [])


def fingerprint(text: bytes) -> str:
    """The same 16 hexadecimal digits for all queries of one structure."""
    result = _library.pg_query_fingerprint(text)
    try:
        return "" if result.error else result.text.decode()
    finally:
        _library.pg_query_free_fingerprint_result(result)


def _near(message: str) -> str:
    """The fragment a syntax error quotes: `syntax error at or near "FORM"`."""
    _, found, rest = message.partition(' at or near "')
    return rest.removesuffix('"') if found else message
