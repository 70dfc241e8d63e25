"""What is told of stores' performance: figures with what they are compared to, and the sentences drawn from them.

Amounts are US dollars, rounded to cents. `percent` figures are parts of a hundred; a change of one is in percentage
points, a change of any other figure in percent of the earlier value. What cannot be said is None and is left out of
an answer: a ratio over nothing, a change from nothing, a comparison that the data do not reach back to.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import TypeAdapter, WithJsonSchema

Step = Literal["day", "week", "month", "quarter"]
Unit = Literal["USD", "count", "percent"]
# Both types, so that a count is not written as 12.0.
Number: TypeAlias = Annotated[int | float, WithJsonSchema({"type": "number"})]


@dataclass(frozen=True, slots=True)
class Period:
    """The days asked for, the last one included. A period that is not over is counted up to a moment, `counted_until`.

    `last_day` is then the day of that moment, and `partial` is true.
    """

    name: str
    first_day: dt.date
    last_day: dt.date
    time_zone: str
    partial: bool
    counted_until: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the period is compared with. `orders_begin` is given when there are no orders in the first days of it."""

    first_day: dt.date
    last_day: dt.date
    orders_begin: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """`peer_median` is that of the other stores the caller may see, where one of several stores was asked for."""

    name: str
    unit: Unit
    value: Number | None = None
    previous: Number | None = None
    change: Number | None = None
    last_year: Number | None = None
    last_year_change: Number | None = None
    peer_median: Number | None = None


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """A day, or the days from `first_day` to the next point (or to the end of the period)."""

    first_day: dt.date
    revenue: float
    orders: int


@dataclass(frozen=True, slots=True)
class Trend:
    """Both series count from the beginning of their period, so that points of the same place compare.

    Their lengths may differ: months do.
    """

    step: Step
    points: tuple[TrendPoint, ...]
    previous_points: tuple[TrendPoint, ...]


@dataclass(frozen=True, slots=True)
class CategorySales:
    name: str
    revenue: float
    share_percent: float | None = None
    previous_revenue: float | None = None
    change: Number | None = None


@dataclass(frozen=True, slots=True)
class ProductSales:
    sku: str
    name: str
    category: str
    items: int
    revenue: float
    share_percent: float | None = None
    previous_revenue: float | None = None


@dataclass(frozen=True, slots=True)
class StockAtRisk:
    """A product that will be out of stock soon if it goes on selling as in the last four weeks. As of now."""

    store: str
    sku: str
    name: str
    stock_level: int
    sold_per_day: float
    days_of_cover: float


@dataclass(frozen=True, slots=True)
class StoreSales:
    """One store the caller may see; `selected` when the report is about it."""

    store_id: str
    name: str
    selected: bool
    revenue: float
    orders: int
    average_order_value: Number | None = None
    discount_percent: float | None = None
    gross_margin_percent: float | None = None
    previous_revenue: float | None = None
    change: Number | None = None


@dataclass(frozen=True, slots=True)
class Insight:
    """A sentence, the rule it follows from (docs/performance.md), and the numbers it rests on."""

    rule: str
    sentence: str
    numbers: Mapping[str, Number]


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceReport:
    """`subject` names the store, or says how many. A comparison is absent where there are no orders to compare with.

    Lists hold the largest first, stock the most urgent first: ten categories, products and products at risk
    (`stock_at_risk_count` says of how many), and fifty stores.
    """

    subject: str
    period: Period
    previous_period: Comparison | None = None
    last_year: Comparison | None = None
    figures: tuple[Figure, ...]
    insights: tuple[Insight, ...]
    trend: Trend
    categories: tuple[CategorySales, ...]
    top_products: tuple[ProductSales, ...]
    stock_at_risk: tuple[StockAtRisk, ...]
    stock_at_risk_count: int
    stores: tuple[StoreSales, ...]
    notes: tuple[str, ...]


REPORT = TypeAdapter(PerformanceReport)
"""Reads and writes reports as JSON, and describes them. Building one is slow, so there is one."""
