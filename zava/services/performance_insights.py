"""Sentences drawn from figures, each by one stated rule. docs/performance.md explains them.

A rule says nothing where its figures do not carry it: too few orders, nothing to compare with, a change that is small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from zava.data.sales_figures import RECENT_DAYS, SOON_DAYS
from zava.services.performance_facts import THRESHOLDS, Compared, Facts
from zava.services.performance_report import Insight, Number
from zava.services.performance_sums import Totals, change_percent, percent
from zava.services.performance_wording import cents, days, money, moved, signed, tenth


def insights(facts: Facts) -> tuple[Insight, ...]:
    """What the rules say, in their order."""
    said = ((rule, RULES[rule](facts)) for rule in RULES)
    return tuple(Insight(rule, found.sentence, found.numbers) for rule, found in said if found is not None)


@dataclass(frozen=True, slots=True)
class _Said:
    sentence: str
    numbers: Mapping[str, Number]


def _growth_previous(facts: Facts) -> _Said | None:
    return _growth(facts.current, facts.previous, "the period before")


def _growth_last_year(facts: Facts) -> _Said | None:
    return _growth(facts.current, facts.last_year, "the same period last year")


def _growth(current: Totals, compared: Compared | None, name: str) -> _Said | None:
    change = _revenue_change(current, compared)
    if compared is None or change is None or abs(change) < THRESHOLDS.growth:
        return None
    before = compared.totals.revenue
    return _Said(
        f"Revenue {moved(change)} against {name} ({days(compared.span)}): from {money(before)} to "
        f"{money(current.revenue)}.",
        {"revenue": cents(current.revenue), "compared": cents(before), "change_percent": tenth(change)},
    )


def _growth_driver(facts: Facts) -> _Said | None:
    """Revenue is orders times their average; the logarithms of the two add up, so each has a share of the change."""
    change = _revenue_change(facts.current, facts.previous)
    if facts.previous is None or change is None or abs(change) < THRESHOLDS.growth or not facts.current.revenue:
        return None
    before = facts.previous.totals
    orders = facts.current.orders / before.orders
    average = facts.current.revenue / before.revenue / orders
    share = math.log(orders) / math.log(orders * average) * 100
    by_orders, by_average = signed(orders * 100 - 100), signed(average * 100 - 100)
    if share >= THRESHOLDS.driver_share:
        sentence = f"Behind it is the number of orders ({by_orders}); the average order moved by {by_average}."
    elif 100 - share >= THRESHOLDS.driver_share:
        sentence = f"Behind it is the value of the average order ({by_average}); the number moved by {by_orders}."
    else:
        return None
    return _Said(
        sentence,
        {
            "orders_change_percent": tenth(orders * 100 - 100),
            "average_order_value_change_percent": tenth(average * 100 - 100),
            "share_of_orders_percent": tenth(share),
        },
    )


def _seasonality(facts: Facts) -> _Said | None:
    now = _revenue_change(facts.current, facts.previous)
    if facts.last_year is None or now is None:
        return None
    then = _revenue_change(facts.last_year.totals, facts.before_last_year)
    if then is None or min(abs(now), abs(then)) < THRESHOLDS.growth or now * then < 0:
        return None
    if abs(now - then) > THRESHOLDS.season_difference:
        return None
    return _Said(
        f"The change against the period before may be the season: a year earlier revenue moved by {signed(then)} "
        f"between the same periods, now by {signed(now)}.",
        {"change_percent": tenth(now), "change_a_year_earlier_percent": tenth(then)},
    )


def _category_concentration(facts: Facts) -> _Said | None:
    if not facts.categories or facts.current.orders < THRESHOLDS.least_orders:
        return None
    first = facts.categories[0]
    share = percent(first.revenue, facts.current.revenue)
    if share is None or share < THRESHOLDS.category_share:
        return None
    return _Said(
        f"{first.name} alone brings {share:.1f}% of the revenue ({money(first.revenue)}).",
        {"revenue": cents(first.revenue), "share_percent": tenth(share)},
    )


def _category_shift(facts: Facts) -> _Said | None:
    """The category that moved by most dollars, if it moved by a good part and is not a small one."""
    if facts.previous is None or _revenue_change(facts.current, facts.previous) is None or not facts.categories:
        return None
    mover = max(facts.categories, key=lambda category: abs(category.revenue - category.previous))
    change = change_percent(mover.revenue, mover.previous)
    share = max(
        percent(mover.revenue, facts.current.revenue) or 0, percent(mover.previous, facts.previous.totals.revenue) or 0
    )
    if change is None or abs(change) < THRESHOLDS.category_change or share < THRESHOLDS.category_least_share:
        return None
    return _Said(
        f"The category that moved most is {mover.name}: it {moved(change)} against the period before, from "
        f"{money(mover.previous)} to {money(mover.revenue)}.",
        {"revenue": cents(mover.revenue), "compared": cents(mover.previous), "change_percent": tenth(change)},
    )


def _product_concentration(facts: Facts) -> _Said | None:
    if not facts.products or facts.current.orders < THRESHOLDS.least_orders:
        return None
    first = facts.products[0]
    share = percent(first.revenue, facts.current.revenue)
    if first.items < THRESHOLDS.product_least_items or facts.products_sold < THRESHOLDS.product_least_sold:
        return None
    if share is None or share < THRESHOLDS.product_share:
        return None
    return _Said(
        f"{first.name} ({first.sku}) alone brings {share:.1f}% of the revenue, of {facts.products_sold} products sold.",
        {"revenue": cents(first.revenue), "share_percent": tenth(share), "products_sold": facts.products_sold},
    )


def _discount_creep(facts: Facts) -> _Said | None:
    points, now, then = _points(facts, lambda totals: totals.discount_percent)
    if points < THRESHOLDS.discount_points:
        return None
    return _Said(
        f"Discounts took {now:.1f}% of the undiscounted value, {points:.1f} points more than in the period before.",
        {"discount_percent": now, "compared_percent": then, "points": points},
    )


def _margin_drop(facts: Facts) -> _Said | None:
    points, now, then = _points(facts, lambda totals: totals.gross_margin_percent)
    if -points < THRESHOLDS.margin_points:
        return None
    return _Said(
        f"Gross margin fell by {-points:.1f} points to {now:.1f}% of the revenue.",
        {"gross_margin_percent": now, "compared_percent": then, "points": points},
    )


def _stock_out_ahead(facts: Facts) -> _Said | None:
    if not facts.at_risk or not facts.out_soon_count:
        return None
    first, count = facts.at_risk[0], facts.out_soon_count
    a_day = first.sold / RECENT_DAYS
    products = "product" if count == 1 else "products"
    return _Said(
        f"{count} {products} will be out of stock within {SOON_DAYS} days at the pace of the last {RECENT_DAYS}, first "
        f"{first.name} ({first.sku}) in {first.store}: {first.stock_level} left, {a_day:.1f} sold a day.",
        {
            "products": count,
            "stock_level": first.stock_level,
            "sold_per_day": round(a_day, 2),
            "days_of_cover": tenth(first.days_of_cover),
        },
    )


def _peer_order_value(facts: Facts) -> _Said | None:
    averages = [
        average
        for peer in facts.peers
        if peer.current.orders >= THRESHOLDS.least_orders and (average := peer.current.average_order_value) is not None
    ]
    mine = facts.current.average_order_value
    if mine is None or facts.current.orders < THRESHOLDS.least_orders or len(averages) < THRESHOLDS.least_peers:
        return None
    middle = median(averages)
    difference = change_percent(mine, middle)
    if difference is None or abs(difference) < THRESHOLDS.peer_difference:
        return None
    return _Said(
        f"The average order ({money(mine)}) is {abs(difference):.1f}% {'above' if difference > 0 else 'below'} the "
        f"median of {len(averages)} other stores ({money(middle)}).",
        {"average_order_value": cents(mine), "peer_median": cents(middle), "difference_percent": tenth(difference)},
    )


def _peer_growth(facts: Facts) -> _Said | None:
    mine = _revenue_change(facts.current, facts.previous)
    changes = [
        change
        for peer in facts.peers
        if peer.previous is not None and (change := _change_between(peer.current, peer.previous)) is not None
    ]
    if mine is None or len(changes) < THRESHOLDS.least_peers:
        return None
    middle = median(changes)
    if abs(mine - middle) < THRESHOLDS.peer_growth_points:
        return None
    return _Said(
        f"Against the period before revenue moved by {signed(mine)}, the median of {len(changes)} other stores by "
        f"{signed(middle)}.",
        {"change_percent": tenth(mine), "peer_median_percent": tenth(middle), "points": tenth(mine - middle)},
    )


RULES: Mapping[str, Callable[[Facts], _Said | None]] = {
    "growth_previous": _growth_previous,
    "growth_driver": _growth_driver,
    "growth_last_year": _growth_last_year,
    "seasonality": _seasonality,
    "category_concentration": _category_concentration,
    "category_shift": _category_shift,
    "product_concentration": _product_concentration,
    "discount_creep": _discount_creep,
    "margin_drop": _margin_drop,
    "stock_out_ahead": _stock_out_ahead,
    "peer_order_value": _peer_order_value,
    "peer_growth": _peer_growth,
}


def _revenue_change(current: Totals, compared: Compared | None) -> float | None:
    return None if compared is None else _change_between(current, compared.totals)


def _change_between(current: Totals, before: Totals) -> float | None:
    """None where either has too few orders for its revenue to mean much."""
    if min(current.orders, before.orders) < THRESHOLDS.least_orders:
        return None
    return change_percent(current.revenue, before.revenue)


def _points(facts: Facts, share_of: Callable[[Totals], float | None]) -> tuple[float, float, float]:
    """How many points a share moved from the period before, what it is and what it was; zeros where it is not said."""
    if facts.previous is None or _revenue_change(facts.current, facts.previous) is None:
        return 0, 0, 0
    now, then = share_of(facts.current), share_of(facts.previous.totals)
    if now is None or then is None:
        return 0, 0, 0
    now, then = tenth(now), tenth(then)  # so that the points are the difference of the shares shown
    return tenth(now - then), now, then
