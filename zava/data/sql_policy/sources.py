"""The walk through FROM: tables, CTEs, subqueries, functions, joins, and the names each of them makes visible."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, NamedTuple

from zava.data.retail_schema import RETAIL_SCHEMA
from zava.data.sql_policy.columns import refuse_system_column
from zava.data.sql_policy.ctes import Cte
from zava.data.sql_policy.expressions import QueryResult, unknown
from zava.data.sql_policy.function_sources import FunctionWalk
from zava.data.sql_policy.grammar import Node
from zava.data.sql_policy.nodes import check_fields, only_node, strings
from zava.data.sql_policy.refusals import refused_column, refused_relation
from zava.data.sql_policy.scope import TABLE_ROWS, TABLES, Scope, Source
from zava.data.sql_policy.values import Column, Shape, Value
from zava.data.sql_policy.verdict import Refusal
