"""Nothing of other tenants comes sideways: by errors, by what a session keeps, by statistics, by logs."""

from __future__ import annotations

import dataclasses
import logging
import re

import asyncpg
import pytest

from zava import bootstrap
from zava.data.query_runner import QueryResult
from zava.data.sql_policy import analyse, decide
from zava.data.tenant_context import TenantScope
from zava.local.stores import STORES

from tests.security.attempts import Attempts
from tests.security.database_state import DatabaseState
from tests.security.hidden_row_oracles import HIDDEN_ROW_ORACLES
from tests.security.planted import SEATTLE_SCOPE, Planted
from tests.security.ways import AllWalls, PolicyOff, Unwrapped

_CONTEXT = re.compile(r"\|\d{10}\|[0-9a-f]{64}\|")


@pytest.mark.parametrize("sql", HIDDEN_ROW_ORACLES.values(), ids=HIDDEN_ROW_ORACLES)
async def test_an_error_does_not_depend_on_hidden_rows(
    sql: str, planted: Planted, twin: Planted, state: DatabaseState
) -> None:
    await planted.superuser.execute("SET search_path = pg_catalog, retail, public")
    with pytest.raises(asyncpg.PostgresError):
        await planted.superuser.fetch(sql)
    for way in (AllWalls, PolicyOff, Unwrapped):
        ways = [way(parts.transactions, SEATTLE_SCOPE) for parts in (planted, twin)]
        assert await Attempts(way.__name__, planted, twin, *ways).violations(sql, state) == []
        assert (await ways[0].run(sql)).error == ""
