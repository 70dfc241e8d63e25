"""From sums to figures: every figure of a report is defined here, once. Pure arithmetic; the sums come from SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from zava.data.sales_figures import SalesSums
from zava.services.performance_report import Figure, Number, Unit


@dataclass(frozen=True, slots=True)
class Totals:
    """What some stores sold in one span. A customer belongs to one store, so customers add up as orders do."""

    orders: int = 0
    revenue: float = 0.0
    lost: int = 0
    items: int = 0
    discount: float = 0.0
    cost: float = 0.0
    buyers: int = 0
    returning: int = 0

    @classmethod
    def of(cls, sums: Iterable[SalesSums]) -> Totals:
        rows = list(sums)
        return cls(
            orders=sum(row.orders for row in rows),
            revenue=sum(row.revenue for row in rows),
            lost=sum(row.lost for row in rows),
            items=sum(row.items for row in rows),
            discount=sum(row.discount for row in rows),
            cost=sum(row.cost for row in rows),
            buyers=sum(row.buyers for row in rows),
            returning=sum(row.returning for row in rows),
        )

    @property
    def average_order_value(self) -> float | None:
        return self.revenue / self.orders if self.orders else None

    @property
    def discount_percent(self) -> float | None:
        """Of what the items would have brought at their undiscounted prices."""
        return percent(self.discount, self.revenue + self.discount)

    @property
    def gross_margin_percent(self) -> float | None:
        return percent(self.revenue - self.cost, self.revenue)


# Name, unit, definition; docs/performance.md says the same in words, and a test compares the names.
DEFINITIONS: Mapping[str, tuple[Unit, Callable[[Totals], float | None]]] = {
    "revenue": ("USD", lambda totals: totals.revenue),
    "orders": ("count", lambda totals: totals.orders),
    "items": ("count", lambda totals: totals.items),
    "average_order_value": ("USD", lambda totals: totals.average_order_value),
    "discount_percent": ("percent", lambda totals: totals.discount_percent),
    "gross_margin": ("USD", lambda totals: totals.revenue - totals.cost),
    "gross_margin_percent": ("percent", lambda totals: totals.gross_margin_percent),
    "new_customers": ("count", lambda totals: totals.buyers - totals.returning),
    "returning_customers": ("count", lambda totals: totals.returning),
    "returned_or_cancelled_percent": ("percent", lambda totals: percent(totals.lost, totals.orders + totals.lost)),
}


def figures(
    current: Totals, previous: Totals | None, last_year: Totals | None, peers: Iterable[Totals] = ()
) -> tuple[Figure, ...]:
    """Every figure of `current` with what it is compared with; `peers` are stores of their own, for the medians."""
    others = list(peers)
    result: list[Figure] = []
    for name, (unit, value_of) in DEFINITIONS.items():
        value = rounded(value_of(current), unit)
        before = None if previous is None else rounded(value_of(previous), unit)
        year = None if last_year is None else rounded(value_of(last_year), unit)
        known = [found for peer in others if (found := value_of(peer)) is not None]
        result.append(
            Figure(
                name=name,
                unit=unit,
                value=value,
                previous=before,
                change=rounded(_difference(value, before, unit), "percent"),
                last_year=year,
                last_year_change=rounded(_difference(value, year, unit), "percent"),
                peer_median=rounded(median(known), "USD" if unit == "count" else unit) if known else None,
            )
        )
    return tuple(result)


def percent(part: float, whole: float) -> float | None:
    return part / whole * 100 if whole > 0 else None


def change_percent(value: float, before: float) -> float | None:
    return percent(value - before, before)


def rounded(value: float | None, unit: Unit) -> Number | None:
    """Cents, tenths of a percent, or a whole number."""
    if value is None:
        return None
    return int(value) if unit == "count" else round(value, 1 if unit == "percent" else 2)


def _difference(value: float | None, before: float | None, unit: Unit) -> float | None:
    if value is None or before is None:
        return None
    return value - before if unit == "percent" else change_percent(value, before)
