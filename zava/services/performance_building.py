"""Makes a report of the sums: sets them against other spans and stores, and draws the conclusions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from uuid import UUID

from zava.data.sales_figures import (
    RECENT_DAYS,
    CategorySums,
    ProductAtRisk,
    ProductSums,
    SalesFigures,
    SpanName,
)
from zava.services.performance_facts import THRESHOLDS, Compared, Facts, Peer
from zava.services.performance_insights import insights
from zava.services.performance_report import (
    CategorySales,
    Comparison,
    PerformanceReport,
    Period,
    ProductSales,
    StockAtRisk,
    StoreSales,
    Trend,
    TrendPoint,
)
from zava.services.performance_sums import Totals, change_percent, figures, percent, rounded
from zava.services.time_period import TIME_ZONE, Span, TimePeriod

_MOST_STORES = 50
_COUNTED = (
    "Sales are orders that are completed or processing; returned and cancelled ones are in no figure but their own. "
    "Gross margin is by today's cost of the products. Stock at risk is as of now."
)


def build_report(
    period: TimePeriod, selected: frozenset[UUID], found: SalesFigures, now: dt.datetime
) -> PerformanceReport:
    """The report on the stores `selected`, of the sums found for them and for the others in scope."""
    return _Report(period, selected, found, now).build()


class _Report:
    """One report in the making."""

    def __init__(self, period: TimePeriod, selected: frozenset[UUID], found: SalesFigures, now: dt.datetime) -> None:
        self._period = period
        self._selected = selected
        self._found = found
        self._now = now
        self._current = self._totals("current", selected)
        self._previous = self._comparable("previous", period.previous)
        last_year: SpanName = "previous" if period.previous_is_last_year else "last_year"
        self._last_year = self._comparable(last_year, period.last_year)

    def build(self) -> PerformanceReport:
        names = [store.store_name for store in self._found.stores if store.store_id in self._selected]
        return PerformanceReport(
            subject=names[0] if len(names) == 1 else f"{len(names)} stores",
            period=self._stated_period(),
            previous_period=self._comparison(self._period.previous, self._previous),
            last_year=self._comparison(self._period.last_year, self._last_year),
            figures=figures(self._current, self._previous, self._last_year, [peer.current for peer in self._peers()]),
            insights=insights(self._facts()),
            trend=Trend(
                self._period.step,
                self._points("current", self._period.span),
                self._points("previous", self._period.previous) if self._previous else (),
            ),
            categories=tuple(self._category(category) for category in self._found.categories),
            top_products=tuple(self._product(product) for product in self._found.products),
            stock_at_risk=tuple(_stock(product) for product in self._found.at_risk),
            stock_at_risk_count=self._found.at_risk_count,
            stores=self._stores(),
            notes=tuple(self._notes()),
        )

    def _totals(self, span: SpanName, store_ids: Iterable[UUID]) -> Totals:
        wanted = frozenset(store_ids)
        return Totals.of(row for row in self._found.sums if row.span == span and row.store_id in wanted)

    def _comparable(self, name: SpanName, span: Span) -> Totals | None:
        """The totals of a span, unless the data begin after it."""
        first = self._found.first_order
        return self._totals(name, self._selected) if first is not None and first < span.end else None

    def _complete(self, name: SpanName, span: Span) -> Compared | None:
        """The same for the rules, which want orders from the span's first day on."""
        first = self._found.first_order
        if first is None or first.date() > span.first_day:
            return None
        return Compared(span, self._totals(name, self._selected))

    def _comparison(self, span: Span, totals: Totals | None) -> Comparison | None:
        first = self._found.first_order
        if totals is None or first is None:
            return None
        return Comparison(span.first_day, span.last_day, first.date() if first.date() > span.first_day else None)

    def _stated_period(self) -> Period:
        span, partial = self._period.span, self._period.partial
        return Period(
            name=self._period.name,
            first_day=span.first_day,
            last_day=span.last_day,
            time_zone=TIME_ZONE,
            partial=partial,
            counted_until=span.end if partial else None,
        )

    def _facts(self) -> Facts:
        period, found = self._period, self._found
        is_recent = period.span.end > self._now - dt.timedelta(days=RECENT_DAYS)
        return Facts(
            current=self._current,
            previous=self._complete("previous", period.previous),
            last_year=None if period.previous_is_last_year else self._complete("last_year", period.last_year),
            before_last_year=self._complete("before_last_year", period.before_last_year),
            categories=found.categories,
            products=found.products,
            products_sold=found.products_sold,
            at_risk=found.at_risk if is_recent else None,
            out_soon_count=found.out_soon_count,
            peers=self._peers(),
        )

    def _peers(self) -> list[Peer]:
        """The other stores in scope: none, unless one of several was asked for."""
        return [
            Peer(self._totals("current", [store.store_id]), self._totals("previous", [store.store_id]))
            for store in self._found.stores
            if store.store_id not in self._selected
        ]

    def _points(self, span_name: SpanName, span: Span) -> tuple[TrendPoint, ...]:
        sums = {step.number: step for step in self._found.steps if step.span == span_name}
        return tuple(
            TrendPoint(block.date(), round(sums[number].revenue, 2), sums[number].orders)
            if number in sums
            else TrendPoint(block.date(), 0, 0)
            for number, block in enumerate(self._period.blocks(span), 1)
        )

    def _category(self, category: CategorySums) -> CategorySales:
        compared = self._previous is not None
        return CategorySales(
            name=category.name,
            revenue=round(category.revenue, 2),
            share_percent=_tenth(percent(category.revenue, self._current.revenue)),
            previous_revenue=round(category.previous, 2) if compared else None,
            change=_tenth(change_percent(category.revenue, category.previous)) if compared else None,
        )

    def _product(self, product: ProductSums) -> ProductSales:
        return ProductSales(
            sku=product.sku,
            name=product.name,
            category=product.category,
            items=product.items,
            revenue=round(product.revenue, 2),
            share_percent=_tenth(percent(product.revenue, self._current.revenue)),
            previous_revenue=round(product.previous, 2) if self._previous is not None else None,
        )

    def _stores(self) -> tuple[StoreSales, ...]:
        rows: list[StoreSales] = []
        for store in self._found.stores:
            current = self._totals("current", [store.store_id])
            before = self._totals("previous", [store.store_id])
            rows.append(
                StoreSales(
                    store_id=str(store.store_id),
                    name=store.store_name,
                    selected=store.store_id in self._selected,
                    revenue=round(current.revenue, 2),
                    orders=current.orders,
                    average_order_value=rounded(current.average_order_value, "USD"),
                    discount_percent=_tenth(current.discount_percent),
                    gross_margin_percent=_tenth(current.gross_margin_percent),
                    previous_revenue=round(before.revenue, 2) if before.orders else None,
                    change=_tenth(change_percent(current.revenue, before.revenue)),
                )
            )
        # What was asked for is shown whatever it sold.
        rows.sort(key=lambda row: (-(row.selected and len(self._selected) == 1), -row.revenue, row.name))
        return tuple(rows[:_MOST_STORES])

    def _notes(self) -> Iterable[str]:
        yield _COUNTED
        period, first = self._period, self._found.first_order
        if period.partial:
            yield (
                f"The period is not over: it is counted up to {period.span.end:%Y-%m-%d %H:%M} {TIME_ZONE} and "
                "compared with the same part of the others."
            )
        if not self._current.orders:
            begun = "" if first is None else f" The first order is of {first.date()}."
            yield f"There are no sales in this period.{begun}"
        elif self._current.orders < THRESHOLDS.least_orders:
            yield f"With fewer than {THRESHOLDS.least_orders} orders no conclusion is drawn from a change."
        if len(self._found.stores) > _MOST_STORES:
            yield f"{_MOST_STORES} of {len(self._found.stores)} stores are listed."


def _stock(product: ProductAtRisk) -> StockAtRisk:
    return StockAtRisk(
        store=product.store,
        sku=product.sku,
        name=product.name,
        stock_level=product.stock_level,
        sold_per_day=round(product.sold / RECENT_DAYS, 2),
        days_of_cover=round(product.days_of_cover, 1),
    )


def _tenth(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
