"""The name PostgreSQL gives to a result column without AS (`FigureColname` in `parse_target.c`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from zava.data.sql_policy.grammar import Node

_UNNAMED: Final = "?column?"
_VALUE_FUNCTIONS: Final[Mapping[str, str]] = {
    "SVFOP_CURRENT_DATE": "current_date",
    "SVFOP_CURRENT_TIME": "current_time",
    "SVFOP_CURRENT_TIME_N": "current_time",
    "SVFOP_CURRENT_TIMESTAMP": "current_timestamp",
    "SVFOP_CURRENT_TIMESTAMP_N": "current_timestamp",
    "SVFOP_LOCALTIME": "localtime",
    "SVFOP_LOCALTIME_N": "localtime",
    "SVFOP_LOCALTIMESTAMP": "localtimestamp",
    "SVFOP_LOCALTIMESTAMP_N": "localtimestamp",
}
_KEYWORDS: Final[Mapping[str, str]] = {
    "A_ArrayExpr": "array",
    "RowExpr": "row",
    "CoalesceExpr": "coalesce",
    "GroupingFunc": "grouping",
    "JsonParseExpr": "json",
    "JsonScalarExpr": "json_scalar",
    "JsonSerializeExpr": "json_serialize",
    "JsonObjectConstructor": "json_object",
    "JsonArrayConstructor": "json_array",
    "JsonArrayQueryConstructor": "json_array",
    "JsonObjectAgg": "json_objectagg",
    "JsonArrayAgg": "json_arrayagg",
}
_JSON_FUNCTIONS: Final[Mapping[str, str]] = {
    "JSON_EXISTS_OP": "json_exists",
    "JSON_QUERY_OP": "json_query",
    "JSON_VALUE_OP": "json_value",
}
# A type's or CASE's name gives way to the name of what is inside it.
_WEAK: Final = 1
_STRONG: Final = 2


def output_name(node: Node, subquery_columns: Mapping[int, str]) -> str:
    """The name of the result `node`; `subquery_columns` holds, by identity of a SubLink, its first column's name."""
    return _named(node, subquery_columns)[0] or _UNNAMED


def _named(node: Node, subquery_columns: Mapping[int, str]) -> tuple[str, int]:
    ((kind, body),) = node.items()
    match kind:
        case "ColumnRef":
            return _last_string(body["fields"]), _STRONG
        case "FuncCall":
            return _last_string(body["funcname"]), _STRONG
        case "A_Indirection":
            field = _last_string(body["indirection"])
            return (field, _STRONG) if field else _named(body["arg"], subquery_columns)
        case "A_Expr" if body["kind"] == "AEXPR_NULLIF":
            return "nullif", _STRONG
        case "TypeCast":
            name, strength = _named(body["arg"], subquery_columns)
            return (name, strength) if strength == _STRONG else (_last_string(body["typeName"]["names"]), _WEAK)
        case "CollateClause":
            return _named(body["arg"], subquery_columns)
        case "CaseExpr":
            name, strength = _named(body["defresult"], subquery_columns) if "defresult" in body else ("", 0)
            return (name, strength) if strength == _STRONG else ("case", _WEAK)
        case "SubLink":
            return _sublink(body, subquery_columns)
        case "MinMaxExpr":
            return ("greatest" if body["op"] == "IS_GREATEST" else "least"), _STRONG
        case "SQLValueFunction":
            return _VALUE_FUNCTIONS.get(body["op"], ""), _STRONG
        case "JsonFuncExpr":
            return _JSON_FUNCTIONS.get(body["op"], ""), _STRONG
        case _:
            return (_KEYWORDS[kind], _STRONG) if kind in _KEYWORDS else ("", 0)


def _sublink(body: Node, subquery_columns: Mapping[int, str]) -> tuple[str, int]:
    match body["subLinkType"]:
        case "EXISTS_SUBLINK":
            return "exists", _STRONG
        case "ARRAY_SUBLINK":
            return "array", _STRONG
        case "EXPR_SUBLINK":
            return subquery_columns[id(body)], _STRONG
        case _:
            return "", 0


def _last_string(parts: list[Node]) -> str:
    return next((part["String"]["sval"] for part in reversed(parts) if "String" in part), "")
