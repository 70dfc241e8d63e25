"""The walk through expressions: every operator, function, type and column named in one is checked where it stands.

`QueryWalk` in `queries.py` completes this class with what only queries have; it is one walk, in layers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Final

from zava.data.sql_policy.columns import resolve_column
from zava.data.sql_policy.findings import Findings
from zava.data.sql_policy.functions import AGGREGATES, FUNCTIONS, SET_RETURNING, VOLATILE, Result
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.limits import MAX_DEPTH, MAX_WIDTH
from zava.data.sql_policy.nodes import check_fields, only_node, strings
from zava.data.sql_policy.refusals import refused_function
from zava.data.sql_policy.scope import Scope
from zava.data.sql_policy.sizes import SIZE_MAKERS, bounded, call_value, literal_size, set_rows
from zava.data.sql_policy.values import FIXED, Row, Shape, Value, array_of, common_shape, one_of
from zava.data.sql_policy.verdict import Refusal
from zava.data.sql_policy.vocabulary import (
    COLLATIONS,
    EXTENSION_SCHEMA,
    GROWING_OPERATORS,
    OPERATORS,
    SYSTEM_COLUMNS,
    VECTOR_OPERATORS,
)
