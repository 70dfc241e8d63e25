"""Every figure of a report against other SQL, by a role that sees all rows: for each scope and several periods."""

from __future__ import annotations

import datetime as dt
import statistics
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest

from zava.bootstrap import Application
from zava.data.tenant_context import TenantScope
from zava.local.stores import STORES
from zava.services.performance_report import PerformanceReport
from zava.services.time_period import Span, TimePeriod, parse_period

PUGET_SOUND = [store.slug for store in STORES if store.region == "puget-sound"]
SCOPES = {store.slug: [store.slug] for store in STORES} | {
    "a region": PUGET_SOUND,
    "two stores": ["redmond", "online"],
    "head office": [store.slug for store in STORES],
}
PERIODS = (
    "2025",
    "2024-02",
    "2025-Q3",
    "last_30_days",
    "this_month",
    "year_to_date",
    "2020-01-05..2020-03-20",
    "2020-01-01..2025-12-31",
)

_SALES = """
SELECT count(DISTINCT o.order_id) AS orders, coalesce(sum(i.quantity * i.unit_price - i.discount_amount), 0) AS revenue,
       coalesce(sum(i.quantity), 0) AS items, coalesce(sum(i.quantity * i.unit_price), 0) AS undiscounted,
       coalesce(sum(i.discount_amount), 0) AS discount, coalesce(sum(i.quantity * p.cost), 0) AS cost
FROM retail.order_items AS i, retail.orders AS o, retail.products AS p
WHERE i.order_id = o.order_id AND i.product_id = p.product_id AND o.status NOT IN ('returned', 'cancelled')
  AND o.store_id = ANY ($1) AND o.order_date >= $2 AND o.order_date < $3
"""
_CUSTOMERS = """
WITH first AS (SELECT customer_id, min(order_date) AS at FROM retail.orders
               WHERE status NOT IN ('returned', 'cancelled') GROUP BY customer_id)
SELECT count(DISTINCT customer_id) FILTER (WHERE first.at >= $2) AS new,
       count(DISTINCT customer_id) FILTER (WHERE first.at < $2) AS returning
FROM retail.orders JOIN first USING (customer_id)
WHERE status NOT IN ('returned', 'cancelled') AND store_id = ANY ($1) AND order_date >= $2 AND order_date < $3
"""
_LOST = """
SELECT count(*) FILTER (WHERE status IN ('returned', 'cancelled')), count(*) FROM retail.orders
WHERE store_id = ANY ($1) AND order_date >= $2 AND order_date < $3
"""
_BY = """
SELECT {name}, sum(i.total_amount)::float8 AS revenue, sum(i.quantity) AS items FROM retail.order_items AS i
JOIN retail.orders AS o USING (order_id) JOIN retail.products AS p USING (product_id)
JOIN retail.categories AS c USING (category_id)
WHERE o.status NOT IN ('returned', 'cancelled') AND o.store_id = ANY ($1) AND o.order_date >= $2 AND o.order_date < $3
GROUP BY 1 ORDER BY 2 DESC, 1
"""
_AT_RISK = """
SELECT s.store_name, p.sku, i.stock_level, sold.pieces FROM retail.inventory AS i
JOIN retail.stores AS s USING (store_id) JOIN retail.products AS p USING (product_id)
CROSS JOIN LATERAL (
    SELECT sum(l.quantity) AS pieces FROM retail.order_items AS l JOIN retail.orders AS o USING (order_id)
    WHERE l.store_id = i.store_id AND l.product_id = i.product_id AND o.status NOT IN ('returned', 'cancelled')
      AND o.order_date >= $2 AND o.order_date < $3) AS sold
WHERE i.store_id = ANY ($1) AND NOT p.discontinued AND sold.pieces >= 3
  AND i.stock_level / (sold.pieces / 28.0) < 14
"""


def ids_of(slugs: Sequence[str]) -> list[UUID]:
    return [store.store_id for store in STORES if store.slug in slugs]


async def true_figures(oracle: asyncpg.Connection, ids: list[UUID], span: Span) -> dict[str, float | None]:
    sales = await oracle.fetchrow(_SALES, ids, span.start, span.end)
    customers = await oracle.fetchrow(_CUSTOMERS, ids, span.start, span.end)
    lost = await oracle.fetchrow(_LOST, ids, span.start, span.end)
    assert sales is not None
    assert customers is not None
    assert lost is not None
    margin = sales["revenue"] - sales["cost"]
    return {
        "revenue": float(sales["revenue"]),
        "orders": sales["orders"],
        "items": sales["items"],
        "average_order_value": _ratio(sales["revenue"], sales["orders"], 2),
        "discount_percent": _ratio(100 * sales["discount"], sales["undiscounted"], 1),
        "gross_margin": float(margin),
        "gross_margin_percent": _ratio(100 * margin, sales["revenue"], 1),
        "new_customers": customers["new"],
        "returning_customers": customers["returning"],
        "returned_or_cancelled_percent": _ratio(100 * Decimal(lost[0]), lost[1], 1),
    }


def _ratio(part: Decimal, whole: Decimal | int, digits: int) -> float | None:
    return round(float(part) / float(whole), digits) if whole else None


async def report_on(
    application: Application, scope: TenantScope, period: str, store: str = ""
) -> tuple[PerformanceReport, TimePeriod]:
    """The report, and the period as it was understood; the minute must not turn in between."""
    while True:
        understood = parse_period(period, dt.datetime.now(dt.UTC))
        report = await application.performance.report(store, period, scope, deadline=time.monotonic() + 20)
        if parse_period(period, dt.datetime.now(dt.UTC)) == understood:
            return report, understood


@pytest.mark.parametrize("slugs", SCOPES.values(), ids=SCOPES)
async def test_every_figure_of_every_period_is_what_other_sql_finds(
    slugs: Sequence[str], application: Application, oracle: asyncpg.Connection, scope: Callable[..., TenantScope]
) -> None:
    ids = ids_of(slugs)
    first = await oracle.fetchval("SELECT min(order_date) FROM retail.orders WHERE store_id = ANY ($1)", ids)
    assert first is not None
    seen = 0
    for period in PERIODS:
        report, understood = await report_on(application, scope(*slugs), period)
        spans = (understood.span, understood.previous, understood.last_year)
        now, before, year = [await true_figures(oracle, ids, span) for span in spans]
        named = {figure.name: figure for figure in report.figures}
        assert {name: figure.value for name, figure in named.items()} == pytest.approx(now), period
        if report.previous_period:
            assert {name: figure.previous for name, figure in named.items()} == pytest.approx(before), period
        if report.last_year:
            assert {name: figure.last_year for name, figure in named.items()} == pytest.approx(year), period
        comparisons = [report.previous_period is not None, report.last_year is not None]
        assert comparisons == [first < span.end for span in spans[1:]], period
        seen += report.figures[1].value or 0
    assert seen > 30, "the sample holds so few orders of these stores that this proves nothing"


@pytest.mark.parametrize(
    ("slugs", "store"),
    [(["seattle"], ""), (["kirkland"], ""), (SCOPES["head office"], ""), (SCOPES["head office"], "seattle")],
)
async def test_the_lists_and_the_trend_are_what_other_sql_finds(
    slugs: Sequence[str],
    store: str,
    application: Application,
    oracle: asyncpg.Connection,
    scope: Callable[..., TenantScope],
) -> None:
    ids = ids_of([store] if store else slugs)
    for period in ("2025", "last_30_days", "2025-Q3"):
        report, understood = await report_on(application, scope(*slugs), period, store)
        span, previous = understood.span, understood.previous
        products = await oracle.fetch(_BY.format(name="p.sku"), ids, span.start, span.end)
        assert [(each.sku, each.revenue, each.items) for each in report.top_products] == [
            tuple(p) for p in products[:10]
        ]
        before = {
            row[0]: row[1]
            for row in await oracle.fetch(_BY.format(name="c.category_name"), ids, previous.start, previous.end)
        }
        categories = {
            row[0]: row[1] for row in await oracle.fetch(_BY.format(name="c.category_name"), ids, span.start, span.end)
        }
        assert {each.name: each.revenue for each in report.categories if each.revenue} == categories
        assert {each.name: each.previous_revenue for each in report.categories if each.previous_revenue} == before
        total = sum(categories.values())
        if total:
            assert sum(each.share_percent or 0 for each in report.categories) == pytest.approx(100, abs=0.5)
        for points, of in ((report.trend.points, span), (report.trend.previous_points, previous)):
            begins = [dt.datetime.combine(point.first_day, dt.time(), dt.UTC) for point in points]
            for point, begin, end in zip(points, begins, [*begins[1:], of.end], strict=True):
                found = await oracle.fetchrow(
                    """SELECT count(*), coalesce(sum(total_amount), 0)::float8 FROM retail.orders
                       WHERE status IN ('completed', 'processing') AND store_id = ANY ($1)
                         AND order_date >= $2 AND order_date < $3""",
                    *(ids, begin, end),
                )
                assert found is not None
                assert (point.orders, point.revenue) == tuple(found)
        assert sum(point.revenue for point in report.trend.points) == pytest.approx(total)


async def test_the_stock_at_risk_is_what_other_sql_finds(
    application: Application, oracle: asyncpg.Connection, scope: Callable[..., TenantScope]
) -> None:
    now = dt.datetime.now(dt.UTC)
    for slugs in SCOPES.values():
        report, _ = await report_on(application, scope(*slugs), "2024-02")
        rows = await oracle.fetch(_AT_RISK, ids_of(slugs), now - dt.timedelta(days=28), now)
        expected = {(row[0], row[1], row[2], round(float(row[3]) / 28, 2)) for row in rows}
        found = [(each.store, each.sku, each.stock_level, each.sold_per_day) for each in report.stock_at_risk]
        assert (report.stock_at_risk_count, set(found) <= expected, len(found)) == (len(rows), True, min(10, len(rows)))
        assert [each.days_of_cover for each in report.stock_at_risk] == sorted(
            each.days_of_cover for each in report.stock_at_risk
        )


async def test_a_store_of_several_is_set_beside_its_peers_in_scope_and_no_other(
    application: Application, oracle: asyncpg.Connection, scope: Callable[..., TenantScope]
) -> None:
    for slugs in (SCOPES["head office"], PUGET_SOUND, ["tacoma", "seattle"]):
        report, understood = await report_on(application, scope(*slugs), "2025", "tacoma")
        assert report.subject == "Zava Retail Tacoma"
        peers = [await true_figures(oracle, ids_of([slug]), understood.span) for slug in slugs if slug != "tacoma"]
        for figure in report.figures:
            known = [value for peer in peers if (value := peer[figure.name]) is not None]
            assert figure.peer_median == pytest.approx(statistics.median(known), abs=0.051), figure.name
        assert {store.name.split()[-1].lower(): store.selected for store in report.stores} == {
            slug: slug == "tacoma" for slug in slugs
        }
        for store in report.stores:
            truth = await true_figures(oracle, [UUID(store.store_id)], understood.span)
            assert (store.revenue, store.orders, store.average_order_value) == pytest.approx(
                (truth["revenue"], truth["orders"], truth["average_order_value"])
            )
            assert (store.discount_percent, store.gross_margin_percent) == pytest.approx(
                (truth["discount_percent"], truth["gross_margin_percent"])
            )
            before = await true_figures(oracle, [UUID(store.store_id)], understood.previous)
            assert store.previous_revenue == pytest.approx(before["revenue"])


async def test_alone_or_together_stores_have_no_peers(
    application: Application, scope: Callable[..., TenantScope]
) -> None:
    for slugs, store in ((["tacoma"], ""), (["tacoma"], "tacoma"), (PUGET_SOUND, "")):
        report, _ = await report_on(application, scope(*slugs), "2025", store)
        assert {figure.peer_median for figure in report.figures} == {None}
        assert not [insight for insight in report.insights if insight.rule.startswith("peer")]


async def test_the_stores_of_a_scope_add_up(application: Application, scope: Callable[..., TenantScope]) -> None:
    whole, _ = await report_on(application, scope(), "2025")
    parts = [(await report_on(application, scope(), "2025", store.slug))[0] for store in STORES]
    for position, figure in enumerate(whole.figures):
        if figure.name in {"revenue", "orders", "items", "gross_margin", "new_customers", "returning_customers"}:
            assert figure.value == pytest.approx(sum(part.figures[position].value or 0 for part in parts))
