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
_LONGEST_NUMBER: Final = 40
# What an array or a range may have between the letters of a word: '[n"o"w,)' begins now.
_QUOTING: Final = str.maketrans("", "", '"\\')
_NUMBER_TYPES: Final = frozenset("int2 int4 int8 float4 float8 numeric smallint integer bigint decimal real".split())
_TIME_TYPES: Final = frozenset("date timestamp timestamptz interval".split())
_ROUNDING: Final = ("ceil", "ceiling", "floor", "round", "trunc")
_FIELDS: Final = ("extract", "date_part")
_COUNTS: Final = ("array_length", "cardinality", "jsonb_array_length", "json_array_length", "length", "array_upper")
_USUAL_COUNT: Final = 1_000.0
_SECONDS_A_DAY: Final = 86_400.0
_UNIT_SECONDS: Final[Mapping[str, float]] = {
    "us": 1e-6, "microsecond": 1e-6, "ms": 1e-3, "millisecond": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "h": 3_600.0, "hr": 3_600.0, "hour": 3_600.0, "d": 86_400.0,
    "day": 86_400.0, "w": 604_800.0, "week": 604_800.0, "mon": 2_592_000.0, "month": 2_592_000.0, "y": 31_536_000.0,
    "yr": 31_536_000.0, "year": 31_536_000.0, "decade": 315_360_000.0, "century": 3_153_600_000.0,
}  # fmt: skip
# Fields with an upper bound even in an interval: '900000000 days' is one.
_FIELD_BOUNDS: Final[Mapping[str, float]] = dict.fromkeys(
    "month minute second quarter week dow isodow doy".split(), 366.0
)
_USUAL_FIELDS: Final[Mapping[str, float]] = {"year": 10_000.0, "isoyear": 10_000.0, "day": 400.0, "hour": 400.0}
_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right if right else math.inf,
}


def changes_daily(text: str) -> bool:
    """Whether a date or time written so, alone or in an array or a range, means another one tomorrow.

    However long the text is: PostgreSQL reads over blanks, and an array may hold any number of dates.
    """
    lowered = text.lower().translate(_QUOTING)
    return "now" in lowered or "today" in lowered or "tomorrow" in lowered or "yesterday" in lowered


def literal_text(node: Node) -> str | None:
    """The text of a string literal."""
    return node["A_Const"]["sval"]["sval"] if "sval" in node.get("A_Const", ()) else None


def literal_number(node: Node) -> float | None:
    """The number that a literal, or arithmetic of literals, stands for; None when it is not known."""
    ((kind, body),) = node.items()
    match kind:
        case "A_Const" if "ival" in body:
            return float(body["ival"].get("ival", 0))
        case "A_Const" if "fval" in body:
            return _number(body["fval"]["fval"]) if len(body["fval"]["fval"]) <= _LONGEST_NUMBER else math.inf
        case "A_Const" if "sval" in body:
            return _number(body["sval"]["sval"])
        case "TypeCast" if _is_cast_to(body, _NUMBER_TYPES):
            return literal_number(body["arg"])
        case "A_Expr" if _operator(body) in _ARITHMETIC:
            left = literal_number(body["lexpr"]) if "lexpr" in body else 0.0
            right = literal_number(body["rexpr"])
            number = None if left is None or right is None else _ARITHMETIC[_operator(body)](left, right)
            return None if number is None or math.isnan(number) else number
        case _:
            return None


def upper_bound(node: Node) -> float:
    """A number that the expression cannot exceed; `UNBOUNDED` when nothing says so."""
    number = literal_number(node)
    if number is not None:
        return number
    ((kind, body),) = node.items()
    match kind:
        case "TypeCast" if _is_cast_to(body, _NUMBER_TYPES):
            return upper_bound(body["arg"])
        case "MinMaxExpr" if body["op"] == "IS_LEAST":
            return min(upper_bound(argument) for argument in body["args"])
        case "MinMaxExpr" | "CoalesceExpr":
            return max(upper_bound(argument) for argument in body["args"])
        case "CaseExpr":
            results = [branch["CaseWhen"]["result"] for branch in body["args"]]
            results += [body["defresult"]] if "defresult" in body else []
            return max(upper_bound(result) for result in results)
        case "A_Expr" if _operator(body) == "+" and "lexpr" in body:
            return min(upper_bound(body["lexpr"]) + upper_bound(body["rexpr"]), UNBOUNDED)
        case "FuncCall" if len(arguments := body.get("args", ())) > 0:
            return _bound_of_call(body["funcname"][-1]["String"]["sval"], arguments)
        case _:
            return UNBOUNDED


def _bound_of_call(name: str, arguments: list[Node]) -> float:
    if name in _FIELDS:
        return _FIELD_BOUNDS.get((literal_text(arguments[0]) or "").lower(), UNBOUNDED)
    if name in _ROUNDING and len(arguments) == 1:
        return min(upper_bound(arguments[0]) + 1.0, UNBOUNDED)
    return UNBOUNDED


def _expected(node: Node) -> float:
    """A number that the expression does not exceed in an honest query: good for an estimate only."""
    bound = upper_bound(node)
    if bound < UNBOUNDED:
        return bound
    ((kind, body),) = node.items()
    match kind:
        case "TypeCast":
            return _expected(body["arg"])
        case "A_Expr" if _operator(body) in ("-", "/") and "lexpr" in body:
            return _expected(body["lexpr"])
        case "SubLink" if len(targets := body["subselect"]["SelectStmt"].get("targetList", [])) == 1:
            return _expected(targets[0]["ResTarget"]["val"])
        case "FuncCall" if len(arguments := body.get("args", ())) > 0:
            return _expected_of_call(body["funcname"][-1]["String"]["sval"], arguments)
        case _:
            return UNBOUNDED


def _expected_of_call(name: str, arguments: list[Node]) -> float:
    if name in _FIELDS:
        return _USUAL_FIELDS.get((literal_text(arguments[0]) or "").lower(), UNBOUNDED)
    if name in _COUNTS:
        return _USUAL_COUNT
    return _expected(arguments[0]) if name in ("min", "max", *_ROUNDING) else UNBOUNDED


def _operator(body: Node) -> str:
    """The name of a plain operator; nothing for IN, LIKE, `= ANY` and their kin."""
    name: str = body["name"][-1]["String"]["sval"]
    return name if body["kind"] == "AEXPR_OP" else ""


def _is_cast_to(body: Node, types: frozenset[str]) -> bool:
    kind = body["typeName"]
    return kind["names"][-1]["String"]["sval"] in types and "arrayBounds" not in kind


def series_rows(arguments: list[Node]) -> tuple[float, bool]:
    """How many rows `generate_series(arguments)` may have, and whether its bounds are literals."""
    if len(arguments) < 2:
        return UNBOUNDED, False
    if len(arguments) > 2 and literal_number(arguments[2]) is None:
        return _time_series(arguments)
    start, stop = literal_number(arguments[0]), literal_number(arguments[1])
    step = abs(literal_number(arguments[2]) or 1.0) if len(arguments) > 2 else 1.0
    if start is None or stop is None:
        return max(1.0, (_expected(arguments[1]) - max(start or 0.0, -UNBOUNDED)) / step), False
    if math.inf in (abs(start), abs(stop), step):  # numbers beyond a double: 1e999
        return UNBOUNDED, False
    return max(1.0, abs(stop - start) / step + 1), True


def _time_series(arguments: list[Node]) -> tuple[float, bool]:
    text = _time_text(arguments[2])
    step = None if text is None else _interval_seconds(text)
    if step is None:
        return UNBOUNDED, False
    days = _days_between(_time_text(arguments[0]), _time_text(arguments[1]))
    return max(1.0, (days or _USUAL_DAYS) * _SECONDS_A_DAY / step), days is not None


def _time_text(node: Node) -> str | None:
    """The text of a date, timestamp or interval literal."""
    if "TypeCast" in node and _is_cast_to(node["TypeCast"], _TIME_TYPES):
        return _time_text(node["TypeCast"]["arg"])
    return literal_text(node)


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


def _number(text: str) -> float | None:
    try:
        number = float(text.replace("_", "")) if len(text) <= _LONGEST_NUMBER else math.nan
    except ValueError:
        return None
    return None if math.isnan(number) else number
