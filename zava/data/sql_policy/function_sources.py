"""The walk through functions in FROM: which columns a call gives there, and under which names.

PostgreSQL decides by the type of the result (`addRangeTableEntryForFunction`): a row gives its columns, any other
value one column, named after the function's OUT parameter, the alias or the function. Whether `unnest(x)` gives one
column or the three of a tsvector depends on the type of `x`, which is not always known here: both are then provided for,
and such columns may only be named without qualification, where a wrong guess cannot turn a name into a call.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from zava.data.sql_policy.columns import refuse_system_column
from zava.data.sql_policy.expressions import unknown
from zava.data.sql_policy.functions import FUNCTIONS, OUT_COLUMN, ROW_COLUMNS, SET_RETURNING, Result
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.nodes import check_fields, only_node, strings
from zava.data.sql_policy.output_names import output_name
from zava.data.sql_policy.scope import Scope, Source, by_name
from zava.data.sql_policy.sizes import set_rows
from zava.data.sql_policy.sql_json import JsonWalk
from zava.data.sql_policy.type_names import check_collation, check_type
from zava.data.sql_policy.values import FIXED, Column, Row, Shape, Value
from zava.data.sql_policy.verdict import Refusal

_LEXEME_COLUMNS: Final = ("lexeme", "positions", "weights")


class _Call(NamedTuple):
    """The columns one call gives; `whole` for a call that gives one value; `guessed` when its type is not known."""

    columns: list[Column]
    rows: float
    whole: Value | None
    guessed: bool = False
