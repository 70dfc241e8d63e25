"""The planner knows how many days, weeks and months there are, so it counts them in a hash table instead of sorting."""

from __future__ import annotations

import json

import asyncpg
import pytest

_GROUPINGS = (
    "order_date::date",
    "date_trunc('day', order_date)",
    "date_trunc('week', order_date)",
    "date_trunc('month', order_date)",
    "date_trunc('month', order_date)::date",
    "to_char(order_date, 'YYYY-MM')",
    "date_trunc('quarter', order_date)",
    "date_trunc('year', order_date)",
    "extract(year FROM order_date)",
    "extract(month FROM order_date)",
    "extract(dow FROM order_date)",
    "extract(hour FROM order_date)",
)


@pytest.mark.parametrize("grouping", _GROUPINGS)
async def test_as_many_groups_are_expected_as_there_are(grouping: str, oracle: asyncpg.Connection) -> None:
    plan = await oracle.fetchval(
        f"EXPLAIN (FORMAT JSON) SELECT {grouping}, sum(quantity) FROM retail.order_items "
        "JOIN retail.orders USING (order_id) GROUP BY 1"
    )
    groups = await oracle.fetchval(f"SELECT count(DISTINCT {grouping}) FROM retail.orders")
    assert plan is not None
    assert groups is not None
    expected = json.loads(plan)[0]["Plan"]["Plan Rows"]
    assert groups / 2 <= expected <= groups * 2


async def test_each_statistic_is_of_a_grouping_tried_here(oracle: asyncpg.Connection) -> None:
    names = await oracle.fetch("SELECT stxname FROM pg_statistic_ext WHERE stxrelid = 'retail.orders'::regclass")
    assert len(names) == len(_GROUPINGS)
