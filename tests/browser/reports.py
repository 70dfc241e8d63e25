"""Performance reports made by hand, in the shape the service gives them."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from typing import Any

from mcp.types import CallToolResult, TextContent
from pydantic import TypeAdapter

from zava.local.stores import STORES
from zava.services.performance_report import (
    CategorySales,
    Comparison,
    Figure,
    Insight,
    PerformanceReport,
    Period,
    ProductSales,
    StockAtRisk,
    StoreSales,
    Trend,
    TrendPoint,
)

_FIRST = dt.date(2026, 10, 1)
_BEFORE = dt.date(2026, 9, 1)


def _points(first: dt.date, days: int, level: float) -> tuple[TrendPoint, ...]:
    revenues = [round(level * (1 + 0.25 * math.sin(day / 3) + day / 90), 2) for day in range(days)]
    return tuple(
        TrendPoint(first + dt.timedelta(days=day), revenue, int(revenue // 95)) for day, revenue in enumerate(revenues)
    )


FULL = PerformanceReport(
    subject="All 8 stores",
    period=Period("2026-10", _FIRST, dt.date(2026, 10, 31), "UTC", partial=False),
    previous_period=Comparison(_BEFORE, dt.date(2026, 9, 30)),
    last_year=Comparison(dt.date(2025, 10, 1), dt.date(2025, 10, 31)),
    figures=(
        Figure("revenue", "USD", 1_284_310.55, 1_143_820.1, 12.3, 1_208_200.0, 6.3),
        Figure("orders", "count", 13_519, 12_302, 9.9, 12_911, 4.7),
        Figure("items", "count", 33_804, 31_240, 8.2, 32_400, 4.3),
        Figure("average_order_value", "USD", 95.0, 92.98, 2.2, 93.58, 1.5),
        Figure("gross_margin", "USD", 421_253.9, 378_604.5, 11.3, 397_497.8, 6.0),
        Figure("gross_margin_percent", "percent", 32.8, 33.1, -0.3, 32.9, -0.1),
        Figure("discount_percent", "percent", 6.4, 5.1, 1.3, 5.2, 1.2),
        Figure("new_customers", "count", 812, 900, -9.8, 845, -3.9),
        Figure("returning_customers", "count", 9_120, 9_120, 0.0),
        Figure("returned_or_cancelled_percent", "percent", 3.1, 3.4, -0.3, 3.2, -0.1),
    ),
    insights=(
        Insight("growth", "Revenue grew by 12.3 % on the period before, to $1,284,311.", {"change": 12.3}),
        Insight(
            "discount_creep", "Discounts rose from 5.1 % to 6.4 % of sales while the margin fell.", {"change": 1.3}
        ),
        Insight("stock_out", "Fourteen products will be out of stock within three days.", {"products": 14}),
    ),
    trend=Trend("day", _points(_FIRST, 31, 38_000), _points(_BEFORE, 30, 35_000)),
    categories=tuple(
        CategorySales(name, revenue, round(revenue / 12_843.1055, 1), before, round(100 * (revenue / before - 1), 1))
        for name, revenue, before in (
            ("Power tools", 342_100.0, 281_000.0),
            ("Lumber and building materials", 265_400.0, 270_100.0),
            ("Paint and finishes", 187_900.0, 150_300.0),
            ("Garden and outdoor", 141_200.0, 168_800.0),
            ("Electrical", 121_600.0, 104_000.0),
            ("Plumbing", 98_400.0, 93_100.0),
            ("Hardware", 74_310.0, 72_400.0),
            ("Storage and organization", 53_400.0, 51_020.0),
        )
    ),
    top_products=tuple(
        ProductSales(sku, name, category, items, revenue, round(revenue / 12_843.1055, 1), before)
        for sku, name, category, items, revenue, before in (
            ("PT-DRL-018", "Cordless drill driver, 18 V, two batteries", "Power tools", 402, 51_858.0, 40_120.0),
            ("LB-PLY-240", "Plywood sheet, birch, 18 mm", "Lumber and building materials", 811, 43_794.0, 45_020.0),
            ("PF-INT-010", "Interior paint, eggshell white, 10 l", "Paint and finishes", 640, 37_120.0, 28_700.0),
            ("PT-SAW-165", "Circular saw, 165 mm", "Power tools", 240, 31_200.0, 30_400.0),
            ("GO-MOW-042", "Battery lawn mower, 42 cm", "Garden and outdoor", 71, 28_329.0, 39_400.0),
            ("EL-LED-060", "LED panel, 60 x 60 cm", "Electrical", 702, 24_570.0, 19_800.0),
        )
    ),
    stock_at_risk=(
        StockAtRisk("Zava Retail Seattle", "PT-DRL-018", "Cordless drill driver, 18 V, two batteries", 4, 3.1, 1.3),
        StockAtRisk("Zava Retail Online", "PF-INT-010", "Interior paint, eggshell white, 10 l", 21, 8.0, 2.6),
        StockAtRisk("Zava Retail Tacoma", "EL-LED-060", "LED panel, 60 x 60 cm", 19, 4.2, 4.5),
        StockAtRisk("Zava Retail Spokane", "GO-MOW-042", "Battery lawn mower, 42 cm", 3, 0.4, 7.5),
    ),
    stock_at_risk_count=37,
    stores=tuple(
        StoreSales(str(store.store_id), store.name, True, revenue, int(revenue / 95), 95.0, 6.4, 32.8, before, change)
        for store, (revenue, before, change) in zip(
            sorted(STORES, key=lambda store: -store.frequency * store.value),
            (
                (318_400.0, 270_100.0, 17.9),
                (272_900.0, 255_300.0, 6.9),
                (221_310.0, 201_000.0, 10.1),
                (176_200.0, 158_420.0, 11.2),
                (98_700.0, 92_000.0, 7.3),
                (82_400.0, 71_900.0, 14.6),
                (67_300.0, 55_000.0, 22.4),
                (47_100.0, 40_100.0, 17.5),
            ),
            strict=True,
        )
    ),
    notes=(),
)
_CHOSEN = next(store for store in FULL.stores if store.name == "Zava Retail Tacoma")
ONE_STORE = replace(
    FULL,
    subject=_CHOSEN.name,
    figures=tuple(
        replace(figure, value=figure.value and figure.value / 8, peer_median=figure.value and figure.value / 7)
        for figure in FULL.figures
    ),
    stores=tuple(replace(store, selected=store is _CHOSEN) for store in FULL.stores),
)
EMPTY = PerformanceReport(
    subject="Zava Retail Kirkland",
    period=Period("2019-03", dt.date(2019, 3, 1), dt.date(2019, 3, 31), "UTC", partial=False),
    figures=(Figure("revenue", "USD", 0.0), Figure("orders", "count", 0)),
    insights=(),
    trend=Trend("day", (), ()),
    categories=(),
    top_products=(),
    stock_at_risk=(),
    stock_at_risk_count=0,
    stores=(replace(_CHOSEN, name="Zava Retail Kirkland", revenue=0.0, orders=0),),
    notes=("There are no orders before 1 January 2020.",),
)


def result_of(report: PerformanceReport) -> dict[str, Any]:
    """The report as the tool's result on the wire."""
    content = TypeAdapter(PerformanceReport).dump_python(report, mode="json", exclude_none=True)
    return _on_the_wire(CallToolResult(content=[TextContent(text="the same as text")], structured_content=content))


def refusal(text: str) -> dict[str, Any]:
    return _on_the_wire(CallToolResult(content=[TextContent(text=text)], is_error=True))


def _on_the_wire(result: CallToolResult) -> dict[str, Any]:
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)
