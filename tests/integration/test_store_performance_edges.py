"""Reports on crafted orders: none, one, a leap day, a turn of the year, each status, what lies ahead, low stock."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.conftest import Cluster, _create_clone
from tests.security.ways import NO_CACHE
from zava.data.pools import Pools
from zava.data.sales_figures import SalesFiguresSource
from zava.data.store_directory import StoreDirectory
from zava.data.tenant_context import TenantScope
from zava.errors import ValidationError
from zava.local.stores import STORES
from zava.platform.query_monitor import QueryMonitor
from zava.services.calls_in_flight import CallsInFlight
from zava.services.performance_report import PerformanceReport, StockAtRisk
from zava.services.store_performance import StorePerformance

KIRKLAND, REDMOND = (next(store for store in STORES if store.slug == slug) for slug in ("kirkland", "redmond"))
NOW = dt.datetime(2026, 3, 15, 12, 0, 30, tzinfo=dt.UTC)
HAMMER, PLIERS, GONE = "HT-HAM-001", "HT-PLI-001", "HT-HAM-002"  # the last one is discontinued

# When, status, SKU, pieces, discount on the line; each its own order, by customers one to three.
ORDERS = (
    ("2023-02-28 23:59:59.999999", "completed", 1, HAMMER, 1, "0"),
    ("2024-02-29 00:00", "completed", 1, HAMMER, 2, "0"),
    ("2024-02-29 12:00", "returned", 2, HAMMER, 9, "0"),
    ("2025-12-31 23:59:59.999999", "completed", 2, PLIERS, 1, "1.00"),
    ("2026-01-01 00:00", "processing", 3, PLIERS, 3, "0"),
    ("2026-01-05 10:00", "cancelled", 3, PLIERS, 7, "0"),
    ("2026-01-06 10:00", "returned", 3, PLIERS, 7, "0"),
    ("2026-03-14 10:00", "completed", 3, PLIERS, 4, "0"),
    ("2026-03-15 11:59:59", "completed", 3, HAMMER, 1, "0"),
    ("2026-02-20 10:00", "completed", 3, GONE, 9, "0"),
    ("2026-03-15 12:00", "completed", 1, HAMMER, 5, "0"),  # this minute has not been counted yet
    ("2026-03-20 10:00", "completed", 1, HAMMER, 50, "0"),  # ahead
)


class Crafted:
    """A database in which Kirkland has the orders above and Redmond none; `report` asks as of `NOW`."""

    def __init__(self, performance: StorePerformance, prices: dict[str, tuple[Decimal, Decimal]]) -> None:
        self._performance = performance
        self.prices = {sku: (float(price), float(cost)) for sku, (price, cost) in prices.items()}

    async def report(self, scope: TenantScope, period: str, store: str = "") -> PerformanceReport:
        return await self._performance.report(store, period, scope, deadline=time.monotonic() + 20)


@pytest.fixture(scope="module")
async def crafted(cluster: Cluster) -> AsyncIterator[Crafted]:
    database = await _create_clone(cluster, "zava_performance_edges")
    superuser = await database.superuser()
    prices = await _craft(superuser)
    await superuser.close()
    pools = Pools(database.settings)
    source = SalesFiguresSource(database.transactions(pools))
    performance = StorePerformance(
        source, StoreDirectory(pools), CallsInFlight(3), QueryMonitor(), NO_CACHE, lambda: NOW
    )
    yield Crafted(performance, prices)
    await pools.close()


async def _craft(superuser: asyncpg.Connection) -> dict[str, tuple[Decimal, Decimal]]:
    products = {
        row["sku"]: row
        for row in await superuser.fetch("SELECT * FROM retail.products WHERE sku = ANY ($1)", [HAMMER, PLIERS, GONE])
    }
    await superuser.execute("UPDATE retail.products SET discontinued = true WHERE sku = $1", GONE)
    for table in ("order_items", "orders", "inventory"):
        await superuser.execute(
            f"DELETE FROM retail.{table} WHERE store_id = ANY ($1)", [KIRKLAND.store_id, REDMOND.store_id]
        )
    customers = await superuser.fetch("SELECT customer_id FROM retail.customers WHERE store_id = $1", KIRKLAND.store_id)
    for when, status, customer, sku, pieces, discount in ORDERS:
        order_id, price = uuid4(), products[sku]["base_price"]
        total = pieces * price - Decimal(discount)
        moment = dt.datetime.fromisoformat(f"{when}+00:00")
        await superuser.execute(
            "INSERT INTO retail.orders VALUES ($1, $2, $3, $4, $5, $6)",
            *(order_id, customers[customer][0], KIRKLAND.store_id, moment, total, status),
        )
        await superuser.execute(
            "INSERT INTO retail.order_items VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8)",
            *(uuid4(), order_id, KIRKLAND.store_id, products[sku]["product_id"], pieces, price),
            *(Decimal(discount), total),
        )
    await superuser.execute(
        "INSERT INTO retail.inventory SELECT $1, unnest($2::uuid[]), unnest($3::int[])",
        *(KIRKLAND.store_id, [row["product_id"] for row in products.values()], [1 for _ in products]),
    )
    return {sku: (row["base_price"], row["cost"]) for sku, row in products.items()}


@pytest.fixture(scope="module")
def kirkland(scope: Callable[..., TenantScope]) -> TenantScope:
    return scope("kirkland")


def values(report: PerformanceReport) -> dict[str, float | None]:
    return {figure.name: figure.value for figure in report.figures}


async def test_one_order_is_a_whole_report_without_a_conclusion(crafted: Crafted, kirkland: TenantScope) -> None:
    report = await crafted.report(kirkland, "2024-02-29")
    price, cost = crafted.prices[HAMMER]
    assert values(report) == {
        "revenue": round(2 * price, 2),
        "orders": 1,
        "items": 2,
        "average_order_value": round(2 * price, 2),
        "discount_percent": 0.0,
        "gross_margin": round(2 * (price - cost), 2),
        "gross_margin_percent": round((price - cost) / price * 100, 1),
        "new_customers": 0,
        "returning_customers": 1,
        "returned_or_cancelled_percent": 50.0,
    }
    assert [(each.sku, each.items) for each in report.top_products] == [(HAMMER, 2)]
    assert (report.insights, report.stores[0].orders) == ((), 1)
    assert "With fewer than 30 orders no conclusion is drawn from a change." in report.notes


async def test_a_leap_day_is_compared_with_the_28th(crafted: Crafted, kirkland: TenantScope) -> None:
    report = await crafted.report(kirkland, "2024-02-29")
    assert report.last_year is not None
    assert (report.last_year.first_day, report.last_year.last_day) == (dt.date(2023, 2, 28), dt.date(2023, 2, 28))
    revenue = report.figures[0]
    assert (revenue.last_year, revenue.last_year_change) == (crafted.prices[HAMMER][0], 100.0)
    assert (revenue.previous, revenue.change) == (0, None)


async def test_a_moment_before_midnight_belongs_to_the_old_year(crafted: Crafted, kirkland: TenantScope) -> None:
    price, _ = crafted.prices[PLIERS]
    old, new = [await crafted.report(kirkland, period) for period in ("2025-12", "2026-01")]
    assert (old.figures[0].value, old.figures[1].value) == (round(price - 1, 2), 1)
    assert values(old)["discount_percent"] == round(100 / price, 1)
    assert (new.figures[0].value, new.figures[0].previous) == (round(3 * price, 2), round(price - 1, 2))
    assert [point.orders for point in new.trend.points] == [1] + [0] * 30


async def test_returned_and_cancelled_orders_are_in_no_figure_but_their_own(
    crafted: Crafted, kirkland: TenantScope
) -> None:
    report = await crafted.report(kirkland, "2026-01")
    assert (values(report)["orders"], values(report)["items"]) == (1, 3)
    assert values(report)["returned_or_cancelled_percent"] == 66.7
    assert (values(report)["new_customers"], values(report)["returning_customers"]) == (1, 0)


async def test_a_period_that_is_not_over_ends_at_this_minute(crafted: Crafted, kirkland: TenantScope) -> None:
    report = await crafted.report(kirkland, "this_month")
    assert (report.period.partial, report.period.counted_until) == (True, NOW.replace(second=0))
    assert (values(report)["orders"], values(report)["items"]) == (2, 5)
    assert len(report.trend.points) == 15
    assert any("counted up to 2026-03-15 12:00 UTC" in note for note in report.notes)


async def test_a_period_ahead_is_an_error_and_one_before_the_data_an_empty_report(
    crafted: Crafted, kirkland: TenantScope
) -> None:
    with pytest.raises(ValidationError, match="has not begun: today is 2026-03-15"):
        await crafted.report(kirkland, "2026-Q2")
    report = await crafted.report(kirkland, "2020")
    assert (report.previous_period, report.last_year, report.insights, report.trend.previous_points) == (None,) * 2 + (
        (),
    ) * 2
    assert {name: value for name, value in values(report).items() if value} == {}
    assert report.notes[-1] == "There are no sales in this period. The first order is of 2023-02-28."


async def test_a_store_without_an_order_has_a_report_too(crafted: Crafted, scope: Callable[..., TenantScope]) -> None:
    report = await crafted.report(scope("redmond"), "last_30_days")
    assert (report.subject, values(report)["revenue"], report.insights) == ("Zava Retail Redmond", 0, ())
    assert (report.categories, report.top_products, report.stock_at_risk) == ((), (), ())
    assert (report.previous_period, report.last_year) == (None, None)
    assert report.notes[-1] == "There are no sales in this period."


async def test_a_comparison_in_which_the_orders_begin_says_where(crafted: Crafted, kirkland: TenantScope) -> None:
    report = await crafted.report(kirkland, "2024")
    assert report.previous_period is not None
    assert report.previous_period.orders_begin == dt.date(2023, 2, 28)


async def test_stock_at_risk_goes_by_the_last_four_weeks_whatever_the_period(
    crafted: Crafted, kirkland: TenantScope
) -> None:
    expected = {
        StockAtRisk("Zava Retail Kirkland", PLIERS, "", 1, 0.14, 7.0),
        StockAtRisk("Zava Retail Kirkland", HAMMER, "", 1, 0.21, 4.7),
    }
    for period in ("last_7_days", "2024-02"):
        report = await crafted.report(kirkland, period)
        assert report.stock_at_risk_count == len(expected)
        assert {
            StockAtRisk(each.store, each.sku, "", each.stock_level, each.sold_per_day, each.days_of_cover)
            for each in report.stock_at_risk
        } == expected
        assert [insight.rule for insight in report.insights] == (["stock_out_ahead"] if period == "last_7_days" else [])


@pytest.mark.parametrize(
    "text", ["kirkland", "Zava Retail KIRKLAND", "zava kirk", str(KIRKLAND.store_id), " Kirkland! "]
)
async def test_a_store_is_known_by_id_by_name_and_by_words_of_it(
    text: str, crafted: Crafted, scope: Callable[..., TenantScope]
) -> None:
    assert (await crafted.report(scope(), "2025", text)).subject == "Zava Retail Kirkland"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("retail", "Several of your stores fit 'retail'.", "Name one of: Zava Retail Kirkland, Zava Retail Redmond."),
        ("seattle", "None of your stores fits 'seattle'.", "Zava Retail Kirkland, Zava Retail Redmond."),
        (str(STORES[0].store_id), "None of your stores fits", "Zava Retail Kirkland, Zava Retail Redmond."),
        (str(UUID(int=0)), "None of your stores fits", "Zava Retail Kirkland, Zava Retail Redmond."),
        ("kirkland redmond", "None of your stores fits", "Zava Retail Kirkland, Zava Retail Redmond."),
        ("x" * 200, "None of your stores fits", "Zava Retail Kirkland, Zava Retail Redmond."),
    ],
    ids=["several", "another tenant's name", "another tenant's id", "the zero id", "two at once", "a long text"],
)
async def test_a_store_that_is_not_the_callers_is_not_known_whether_it_exists_or_not(
    text: str, message: str, hint: str, crafted: Crafted, scope: Callable[..., TenantScope]
) -> None:
    with pytest.raises(ValidationError) as caught:
        await crafted.report(scope("kirkland", "redmond"), "2025", text)
    assert caught.value.message.startswith(message)
    assert caught.value.hint.endswith(hint)
    assert len(caught.value.message) < 120
