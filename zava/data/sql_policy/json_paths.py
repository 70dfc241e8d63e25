"""JSON paths: literals, and none that multiplies.

A path is a small program. `$[0,0][0,0]...` doubles its items at each step, `$.**.**.**` and `$.keyvalue().keyvalue()`
grow as fast, and PostgreSQL collects all of them in memory before it looks at a time limit: 40 characters fill ten
gigabytes in seconds.
"""

from __future__ import annotations

from typing import Final

from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.literals import literal_text
from zava.data.sql_policy.verdict import Refusal

_MULTIPLYING: Final = ("**", "keyvalue")
# `[0,1,2]` has two: at most eight times as many items.
_MAX_COMMAS: Final = 3


def literal_path(node: Node) -> Node:
    """The literal that a path is written as, without a cast to jsonpath, once it has been checked.

    Raises:
        Refusal: `json_path`.
    """
    inner = node
    if "NamedArgExpr" in inner:
        inner = inner["NamedArgExpr"]["arg"]
    if is_path_cast(inner):
        inner = inner["TypeCast"]["arg"]
    text = literal_text(inner)
    if text is None:
        raise _refused("path")
    check_path(text)
    return inner


def is_path_cast(node: Node) -> bool:
    """Whether the node is `expression::jsonpath`; jsonpath is no type that may be cast to anywhere else."""
    if "TypeCast" not in node:
        return False
    kind = node["TypeCast"]["typeName"]
    return kind["names"][-1]["String"]["sval"] == "jsonpath" and len(kind["names"]) == 1 and "arrayBounds" not in kind


def check_path(text: str) -> None:
    """Refuse a path that may have many more items than the document.

    Raises:
        Refusal: `json_path`.
    """
    if sum(text.count(step) for step in _MULTIPLYING) > 1 or text.count(",") > _MAX_COMMAS:
        raise _refused(text)


def _refused(piece: str) -> Refusal:
    return Refusal(
        "json_path",
        piece,
        "Write a JSON path as a literal with at most one .** or .keyvalue() and few subscripts: '$.items[*].price'.",
    )
