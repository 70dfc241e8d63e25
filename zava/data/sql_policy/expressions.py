"""The walk through expressions: every operator, function, type and column named in one is checked where it stands.

`QueryWalk` in `queries.py` completes this class with what only queries have: it is one walk, in layers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from zava.data.sql_policy.columns import column_parts, resolve_column, resolve_source, result_value, select_field
from zava.data.sql_policy.findings import Findings
from zava.data.sql_policy.functions import AGGREGATES, FUNCTIONS, SET_RETURNING, VOLATILE, Result
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.limits import MAX_DEPTH, MAX_WIDTH
from zava.data.sql_policy.nodes import check_fields, only_node, strings
from zava.data.sql_policy.refusals import refused_function
from zava.data.sql_policy.scope import Scope
from zava.data.sql_policy.sizes import SIZE_MAKERS, bounded, call_value, literal_size, set_rows
from zava.data.sql_policy.type_names import check_collation, check_operator, check_type
from zava.data.sql_policy.values import FIXED, FIXED_SIZE, Column, Row, Shape, Value, array_of, common_shape, one_of
from zava.data.sql_policy.verdict import Refusal
from zava.data.sql_policy.vocabulary import GROWING_OPERATORS

# Words that dates are written with and that mean another day tomorrow.
_MOVING_WORDS: Final = ("now", "today", "tomorrow", "yesterday")
_OPERATOR_KINDS: Final = frozenset(
    "AEXPR_OP AEXPR_OP_ANY AEXPR_OP_ALL AEXPR_DISTINCT AEXPR_NOT_DISTINCT AEXPR_NULLIF AEXPR_IN AEXPR_LIKE AEXPR_ILIKE "
    "AEXPR_SIMILAR".split()
)
_RANGE_KINDS: Final = frozenset("AEXPR_BETWEEN AEXPR_NOT_BETWEEN AEXPR_BETWEEN_SYM AEXPR_NOT_BETWEEN_SYM".split())
_SUBLINK_KINDS: Final = frozenset("EXISTS_SUBLINK ALL_SUBLINK ANY_SUBLINK EXPR_SUBLINK ARRAY_SUBLINK".split())
_CLOCKS: Final = frozenset(
    "SVFOP_CURRENT_DATE SVFOP_CURRENT_TIME SVFOP_CURRENT_TIME_N SVFOP_CURRENT_TIMESTAMP SVFOP_CURRENT_TIMESTAMP_N "
    "SVFOP_LOCALTIME SVFOP_LOCALTIME_N SVFOP_LOCALTIMESTAMP SVFOP_LOCALTIMESTAMP_N".split()
)


class QueryResult(NamedTuple):
    """What a query returns: its columns, and about how many rows."""

    columns: list[Column]
    rows: float


def unknown(what: str) -> Refusal:
    return Refusal("unknown_syntax", what, "Write the query without this construct.")
