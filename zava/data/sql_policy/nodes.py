"""The fields of the grammar's nodes that the walk understands. A node or field that is not here is refused.

PostgreSQL's grammar grows with every release: a construct this code does not know arrives as an unknown kind of node,
or as a new field on a known one, and either way nothing is let through unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.verdict import Refusal

_FIELDS: Final[dict[str, str]] = {
    "RawStmt": "stmt stmt_location stmt_len",
    "SelectStmt": """distinctClause targetList fromClause whereClause groupClause groupDistinct havingClause
        windowClause valuesLists sortClause limitOffset limitCount limitOption withClause op all larg rarg""",
    "WithClause": "ctes recursive location",
    "CommonTableExpr": "ctename aliascolnames ctematerialized ctequery location",
    "ResTarget": "name val location",
    "SortBy": "node sortby_dir sortby_nulls useOp location",
    "WindowDef": "name refname partitionClause orderClause frameOptions startOffset endOffset location",
    "GroupingSet": "kind content location",
    # FROM
    "RangeVar": "schemaname relname inh relpersistence alias location",
    "RangeSubselect": "lateral subquery alias",
    "RangeFunction": "lateral ordinality is_rowsfrom functions alias coldeflist",
    "RangeTableSample": "relation method args location",
    "JoinExpr": "jointype isNatural larg rarg usingClause join_using_alias quals alias",
    "JsonTable": "context_item pathspec passing columns on_error alias lateral location",
    "JsonTableColumn": "coltype name typeName pathspec format wrapper quotes columns on_empty on_error location",
    "JsonTablePathSpec": "string name name_location location",
    "Alias": "aliasname colnames",
    "ColumnDef": "colname typeName is_local collClause location",
    # expressions
    "A_ArrayExpr": "elements list_start list_end location",
    "A_Const": "ival fval boolval sval bsval isnull location",
    "A_Expr": "kind name lexpr rexpr rexpr_list_start rexpr_list_end location",
    "A_Indices": "is_slice lidx uidx",
    "A_Indirection": "arg indirection",
    "BoolExpr": "boolop args location",
    "BooleanTest": "arg booltesttype location",
    "CaseExpr": "arg args defresult location",
    "CaseWhen": "expr result location",
    "CoalesceExpr": "args location",
    "CollateClause": "arg collname location",
    "ColumnRef": "fields location",
    "FuncCall": """funcname args agg_order agg_filter over agg_within_group agg_star agg_distinct func_variadic
        funcformat location""",
    "GroupingFunc": "args location",
    "MinMaxExpr": "op args location",
    "NamedArgExpr": "arg name argnumber location",
    "NullTest": "arg nulltesttype location",
    "RowExpr": "args row_format location",
    "SQLValueFunction": "op typmod location",
    "SubLink": "subLinkType testexpr operName subselect location",
    "TypeCast": "arg typeName location",
    "TypeName": "names typmods typemod arrayBounds location",
    # SQL/JSON
    "JsonAggConstructor": "output agg_filter agg_order over location",
    "JsonArgument": "val name",
    "JsonArrayAgg": "constructor arg absent_on_null",
    "JsonArrayConstructor": "exprs output absent_on_null location",
    "JsonArrayQueryConstructor": "query output format absent_on_null location",
    "JsonBehavior": "btype expr location",
    "JsonFormat": "format_type encoding location",
    "JsonFuncExpr": """op column_name context_item pathspec passing output on_empty on_error wrapper quotes
        location""",
    "JsonIsPredicate": "expr format item_type unique_keys location",
    "JsonKeyValue": "key value",
    "JsonObjectAgg": "constructor arg absent_on_null unique",
    "JsonObjectConstructor": "exprs output absent_on_null unique location",
    "JsonOutput": "typeName returning",
    "JsonParseExpr": "expr output unique_keys location",
    "JsonReturning": "format",
    "JsonScalarExpr": "expr output location",
    "JsonSerializeExpr": "expr output location",
    "JsonValueExpr": "raw_expr format",
}

FIELDS: Final[Mapping[str, frozenset[str]]] = {kind: frozenset(fields.split()) for kind, fields in _FIELDS.items()}


def unknown(what: str) -> Refusal:
    """The refusal of a construct that the walk does not know."""
    return Refusal("unknown_syntax", what, "Write the query without this construct.")


def check_fields(kind: str, node: Node) -> None:
    """Refuse `node` unless every one of its fields is known.

    Raises:
        Refusal: `unknown_syntax`.
    """
    if kind not in FIELDS:
        raise unknown(kind)
    if not FIELDS[kind].issuperset(node):
        raise unknown(f"{kind}.{min(node.keys() - FIELDS[kind])}")


def only_node(node: Node) -> tuple[str, Node]:
    """The kind and the fields of a node that says its kind."""
    if len(node) != 1:
        raise unknown("node without a kind")
    ((kind, fields),) = node.items()
    return kind, fields


def strings(nodes: list[Node]) -> list[str]:
    """The texts of a list of String nodes, such as a qualified name."""
    return [node["String"]["sval"] for node in nodes]
