"""What can be read off an expression without running it: literal numbers and texts, and upper bounds of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from zava.data.sql_policy.grammar import Node

# generate_series(1, x) with an x that nothing bounds.
UNBOUNDED: Final = 1e7
# A date series whose ends are columns runs over the years of the data.
_USUAL_DAYS: Final = 3_660.0
_LONGEST_DATE: Final = 60
_SECONDS_A_DAY: Final = 86_400.0
_UNIT_SECONDS: Final[Mapping[str, float]] = {
    "us": 1e-6, "microsecond": 1e-6, "ms": 1e-3, "millisecond": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "h": 3_600.0, "hr": 3_600.0, "hour": 3_600.0, "d": 86_400.0,
    "day": 86_400.0, "w": 604_800.0, "week": 604_800.0, "mon": 2_592_000.0, "month": 2_592_000.0, "y": 31_536_000.0,
    "yr": 31_536_000.0, "year": 31_536_000.0, "decade": 315_360_000.0, "century": 3_153_600_000.0,
}  # fmt: skip
_FIELD_BOUNDS: Final[Mapping[str, float]] = {"year": 10_000.0, "isoyear": 10_000.0} | dict.fromkeys(
    "month day hour minute second quarter week dow isodow doy decade century".split(), 400.0
)
_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right if right else math.inf,
}


def changes_daily(text: str) -> bool:
    """Whether a date or time written so means another one tomorrow."""
    if len(text) > _LONGEST_DATE:
        return False
    lowered = text.lower()
    return "now" in lowered or "today" in lowered or "tomorrow" in lowered or "yesterday" in lowered


def literal_text(node: Node) -> str | None:
    """The text of a string literal, cast or not."""
    if "TypeCast" in node:
        return literal_text(node["TypeCast"]["arg"])
    return node["A_Const"]["sval"].get("sval", "") if "sval" in node.get("A_Const", ()) else None


def literal_number(node: Node) -> float | None:
    """The number that a literal, or arithmetic of literals, stands for; None when it is not known."""
    ((kind, body),) = node.items()
    match kind:
        case "A_Const" if "ival" in body:
            return float(body["ival"].get("ival", 0))
        case "A_Const" if "fval" in body:
            return _number(body["fval"]["fval"])
        case "A_Const" if "sval" in body:
            return _number(body["sval"].get("sval", ""))
        case "TypeCast":
            return literal_number(body["arg"])
        case "A_Expr" if body["name"][-1]["String"]["sval"] in _ARITHMETIC and "rexpr" in body:
            left = literal_number(body["lexpr"]) if "lexpr" in body else 0.0
            right = literal_number(body["rexpr"])
            return (
                None if left is None or right is None else _ARITHMETIC[body["name"][-1]["String"]["sval"]](left, right)
            )
        case _:
            return None


def upper_bound(node: Node) -> float:
    """A number that the expression does not exceed in an honest query; `UNBOUNDED` when nothing says so."""
    number = literal_number(node)
    if number is not None:
        return number
    ((kind, body),) = node.items()
    match kind:
        case "TypeCast":
            return upper_bound(body["arg"])
        case "MinMaxExpr" if body["op"] == "IS_LEAST":
            return min(upper_bound(argument) for argument in body["args"])
        case "FuncCall":
            return _bound_of_call(body["funcname"][-1]["String"]["sval"], body.get("args", []))
        case "A_Expr" if body["name"][-1]["String"]["sval"] == "+" and "lexpr" in body:
            return upper_bound(body["lexpr"]) + upper_bound(body["rexpr"])
        case "A_Expr" if body["name"][-1]["String"]["sval"] in ("-", "/", "%") and "lexpr" in body:
            return upper_bound(body["lexpr"])
        case "SubLink" if body["subLinkType"] == "EXPR_SUBLINK" and len(targets := _targets(body)) == 1:
            return upper_bound(targets[0]["ResTarget"]["val"])
        case _:
            return UNBOUNDED


def series_rows(arguments: list[Node]) -> tuple[float, bool]:
    """How many rows `generate_series(arguments)` may have, and whether its bounds are literals."""
    if len(arguments) < 2:
        return UNBOUNDED, False
    if len(arguments) > 2 and literal_number(arguments[2]) is None:
        return _time_series(arguments)
    start, stop = literal_number(arguments[0]), literal_number(arguments[1])
    step = abs(literal_number(arguments[2]) or 1.0) if len(arguments) > 2 else 1.0
    if start is None or stop is None:
        return max(1.0, (upper_bound(arguments[1]) - (start or 0.0)) / step), False
    return max(1.0, abs(stop - start) / step + 1), True


def _time_series(arguments: list[Node]) -> tuple[float, bool]:
    text = literal_text(arguments[2])
    step = None if text is None else _interval_seconds(text)
    if step is None:
        return UNBOUNDED, False
    days = _days_between(literal_text(arguments[0]), literal_text(arguments[1]))
    return max(1.0, (days or _USUAL_DAYS) * _SECONDS_A_DAY / step), days is not None


def _days_between(start: str | None, stop: str | None) -> float | None:
    try:
        return abs((date.fromisoformat((stop or "")[:10]) - date.fromisoformat((start or "")[:10])).days) + 1.0
    except ValueError:
        return None


def _interval_seconds(text: str) -> float | None:
    """The length of an interval such as `1 day` or `2 hours 30 min`; None when it is written another way."""
    words = text.lower().replace("-", " ").split()
    if not words or len(words) % 2:
        return None
    seconds = 0.0
    for amount, unit in zip(words[::2], words[1::2], strict=True):
        number = _number(amount)
        length = _UNIT_SECONDS.get(unit) or _UNIT_SECONDS.get(unit.removesuffix("s"))
        if number is None or length is None:
            return None
        seconds += number * length
    return seconds or None


def _bound_of_call(name: str, arguments: list[Node]) -> float:
    if name in ("extract", "date_part") and arguments:
        return _FIELD_BOUNDS.get((literal_text(arguments[0]) or "").lower(), UNBOUNDED)
    if name in ("array_length", "cardinality", "jsonb_array_length", "length", "char_length", "array_upper"):
        return 1_000.0
    if name in ("min", "max", "ceil", "ceiling", "floor", "round", "trunc", "abs") and arguments:
        return upper_bound(arguments[0])
    return UNBOUNDED


def _targets(sublink: Node) -> list[Node]:
    targets: list[Node] = sublink["subselect"]["SelectStmt"].get("targetList", [])
    return targets


def _number(text: str) -> float | None:
    try:
        return float(text.replace("_", "")) if len(text) <= 40 else None
    except ValueError:
        return None
