"""A report tells a tenant nothing of another: not in a figure, a median, a name or an error, whatever is asked."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence

import pytest
from pydantic import TypeAdapter

from tests.sample_directory import ids
from tests.security.canaries import CANARIES
from tests.security.planted import SEATTLE_SCOPE, Planted
from tests.security.ways import NO_CACHE
from zava.data.sales_figures import SPANS, SalesFigures, SalesFiguresSource
from zava.data.store_directory import StoreDirectory
from zava.data.tenant_context import TenantScope
from zava.errors import MCPError
from zava.local.stores import STORES
from zava.platform.query_monitor import QueryMonitor
from zava.services.calls_in_flight import CallsInFlight
from zava.services.performance_report import PerformanceReport
from zava.services.store_performance import StorePerformance

NOW = dt.datetime.now(dt.UTC)
PERIODS = ("last_90_days", "year_to_date", "2025-Q4", "2020-01-01..2026-12-31", "yesterday")


def performance(planted: Planted) -> StorePerformance:
    source = SalesFiguresSource(planted.transactions)
    return StorePerformance(
        source, StoreDirectory(planted.pools), CallsInFlight(3), QueryMonitor(), NO_CACHE, lambda: NOW
    )


async def told(planted: Planted, scope: TenantScope, period: str, store: str = "") -> str:
    """All a caller would learn: the report as JSON, or the error."""
    try:
        report = await performance(planted).report(store, period, scope, deadline=time.monotonic() + 20)
    except MCPError as problem:
        return str(problem.as_dict())
    return TypeAdapter(PerformanceReport).dump_json(report).decode()


@pytest.mark.parametrize("period", PERIODS)
async def test_the_report_is_the_same_where_no_other_tenant_exists(
    period: str, planted: Planted, twin: Planted
) -> None:
    here, there = [await told(database, SEATTLE_SCOPE, period) for database in (planted, twin)]
    assert here == there
    assert "Zava Retail Seattle" in here


SCOPES = [[store.slug] for store in STORES] + [["seattle", "tacoma"], ["spokane", "online", "everett"]]


@pytest.mark.parametrize("slugs", SCOPES, ids=["+".join(slugs) for slugs in SCOPES])
async def test_no_value_and_no_name_of_another_tenant_is_in_a_report(slugs: Sequence[str], planted: Planted) -> None:
    scope = TenantScope(ids(*slugs), "5e" * 32)
    others = [store for store in STORES if store.slug not in slugs]
    for period in ("last_90_days", "2020-01-01..2026-12-31"):
        for store in ("", slugs[0], others[0].slug, str(others[0].store_id), "retail"):
            text = await told(planted, scope, period, store)
            assert planted.evidence.of_others(text, *slugs, asked=store) == frozenset()
            assert [other.name for other in others if other.name in text] == []
    whole = TypeAdapter(PerformanceReport).validate_json(await told(planted, scope, "last_90_days"))
    assert (whole.figures[0].value or 0) >= int(sum(CANARIES[slug].total_amount for slug in slugs)), (
        "the canaries are in it"
    )


async def test_even_a_service_that_asks_for_all_stores_gets_the_callers_alone(planted: Planted, twin: Planted) -> None:
    """Row security stands below the choice of the store: a mistake there shows nothing."""

    async def read(database: Planted) -> SalesFigures:
        bounds = (NOW - dt.timedelta(days=3_000), NOW)
        return await SalesFiguresSource(database.transactions).read(
            ids(),
            dict.fromkeys(SPANS, bounds),
            [bounds[0]],
            [bounds[0]],
            SEATTLE_SCOPE,
            deadline=time.monotonic() + 20,
        )

    here, there = await read(planted), await read(twin)
    assert here == there
    assert {sums.store_id for sums in here.sums} == {store.store_id for store in here.stores} == ids("seattle")
    text = TypeAdapter(SalesFigures).dump_json(here).decode()
    assert planted.evidence.of_others(text, "seattle") == frozenset()
