"""Honest analytics is answered: for head office with rows, and for one store as if no other store existed."""

from __future__ import annotations

import pytest

from tests.security.forgeries import EVERY_STORE
from tests.security.planted import SEATTLE_SCOPE, Planted
from tests.security.sql_table import ACCEPTED, SqlCase
from tests.security.ways import AllWalls
from zava.data.query_runner import QueryLimits
from zava.data.sql_policy import analyse

_LIMITS = QueryLimits(max_rows=1_000, max_bytes=1_048_576, timeout_seconds=10)
_every_case = pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.id)


@_every_case
async def test_head_office_gets_rows(case: SqlCase, planted: Planted) -> None:
    outcome = await AllWalls(planted.transactions, EVERY_STORE, _LIMITS).run(case.sql)
    assert outcome.error == ""
    assert outcome.rows


@_every_case
async def test_a_store_gets_what_it_would_get_alone(case: SqlCase, planted: Planted, twin: Planted) -> None:
    outcome = await AllWalls(planted.transactions, SEATTLE_SCOPE, _LIMITS).run(case.sql)
    assert not planted.evidence.of_others(outcome.text, "seattle", asked=case.sql)
    if not analyse(case.sql).volatile:
        assert outcome == await AllWalls(twin.transactions, SEATTLE_SCOPE, _LIMITS).run(case.sql)
