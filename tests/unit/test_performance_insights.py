"""Golden insights: crafted figures and the exact sentences, and figures of which nothing may be said."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from zava.data.sales_figures import CategorySums, ProductAtRisk, ProductSums
from zava.services.performance_facts import THRESHOLDS, Compared, Facts, Peer, Thresholds
from zava.services.performance_insights import RULES, insights
from zava.services.performance_report import Insight
from zava.services.performance_sums import DEFINITIONS, Totals
from zava.services.time_period import Span

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


def span(first: str, last: str) -> Span:
    day = dt.timedelta(days=1)
    start, end = (dt.datetime.fromisoformat(f"{text}T00:00:00+00:00") for text in (first, last))
    return Span(start, end + day)


BEFORE = span("2026-09-25", "2026-10-24")
LAST_YEAR = span("2025-10-25", "2025-11-23")
BEFORE_LAST_YEAR = span("2025-09-25", "2025-10-24")
# A hundred orders of $100, a margin of 30 %, discounts of 2 %.
PLAIN = Totals(orders=100, revenue=10_000, lost=5, items=240, discount=204.08, cost=7_000, buyers=90, returning=60)


def scaled(factor: float, *, orders: int = 100) -> Totals:
    return replace(PLAIN, orders=orders, revenue=10_000 * factor, discount=204.08 * factor, cost=7_000 * factor)


def before(totals: Totals, when: Span = BEFORE) -> Compared:
    return Compared(when, totals)


def category(name: str, revenue: float, previous: float) -> CategorySums:
    return CategorySums(name, revenue, previous)


SAW = ProductSums("PT-SAW-001", "Circular Saw", "Power Tools", 14, 1_259.86, 0)
LOW = ProductAtRisk("Zava Retail Seattle", "PL-VAL-002", "Ball Valve", 2, 14, 4.0)

GOLDEN: dict[str, tuple[Facts, list[Insight]]] = {
    "more revenue from more orders": (
        Facts(replace(scaled(1.3), orders=128), previous=before(PLAIN)),
        [
            Insight(
                "growth_previous",
                "Revenue rose by 30.0% against the period before (2026-09-25 to 2026-10-24): from $10,000 to $13,000.",
                {"revenue": 13_000.0, "compared": 10_000, "change_percent": 30.0},
            ),
            Insight(
                "growth_driver",
                "Behind it is the number of orders (+28.0%); the average order moved by +1.6%.",
                {
                    "orders_change_percent": 28.0,
                    "average_order_value_change_percent": 1.6,
                    "share_of_orders_percent": 94.1,
                },
            ),
        ],
    ),
    "less revenue from smaller orders": (
        Facts(scaled(0.8), previous=before(PLAIN)),
        [
            Insight(
                "growth_previous",
                "Revenue fell by 20.0% against the period before (2026-09-25 to 2026-10-24): from $10,000 to $8,000.",
                {"revenue": 8_000.0, "compared": 10_000, "change_percent": -20.0},
            ),
            Insight(
                "growth_driver",
                "Behind it is the value of the average order (-20.0%); the number moved by +0.0%.",
                {
                    "orders_change_percent": 0.0,
                    "average_order_value_change_percent": -20.0,
                    "share_of_orders_percent": 0.0,
                },
            ),
        ],
    ),
    "growth that number and value share": (
        Facts(replace(scaled(1.21), orders=110), previous=before(PLAIN)),
        [
            Insight(
                "growth_previous",
                "Revenue rose by 21.0% against the period before (2026-09-25 to 2026-10-24): from $10,000 to $12,100.",
                {"revenue": 12_100.0, "compared": 10_000, "change_percent": 21.0},
            )
        ],
    ),
    "against last year": (
        Facts(scaled(1.5), last_year=before(PLAIN, LAST_YEAR)),
        [
            Insight(
                "growth_last_year",
                "Revenue rose by 50.0% against the same period last year (2025-10-25 to 2025-11-23): from $10,000 to "
                "$15,000.",
                {"revenue": 15_000.0, "compared": 10_000, "change_percent": 50.0},
            )
        ],
    ),
    "a season": (
        Facts(
            replace(scaled(0.81), orders=90),
            previous=before(PLAIN),
            last_year=before(scaled(0.85), LAST_YEAR),
            before_last_year=before(PLAIN, BEFORE_LAST_YEAR),
        ),
        [
            Insight(
                "growth_previous",
                "Revenue fell by 19.0% against the period before (2026-09-25 to 2026-10-24): from $10,000 to $8,100.",
                {"revenue": 8_100.0, "compared": 10_000, "change_percent": -19.0},
            ),
            Insight(
                "seasonality",
                "The change against the period before may be the season: a year earlier revenue moved by -15.0% "
                "between the same periods, now by -19.0%.",
                {"change_percent": -19.0, "change_a_year_earlier_percent": -15.0},
            ),
        ],
    ),
    "one category is half the business": (
        Facts(PLAIN, categories=[category("Power Tools", 5_000, 4_800), category("Plumbing", 5_000, 5_200)]),
        [
            Insight(
                "category_concentration",
                "Power Tools alone brings 50.0% of the revenue ($5,000).",
                {"revenue": 5_000, "share_percent": 50.0},
            )
        ],
    ),
    "one category moved": (
        Facts(
            PLAIN,
            previous=before(PLAIN),
            categories=[category("Plumbing", 3_500, 3_400), category("Garden & Outdoor", 1_500, 2_600)],
        ),
        [
            Insight(
                "category_shift",
                "The category that moved most is Garden & Outdoor: it fell by 42.3% against the period before, from "
                "$2,600 to $1,500.",
                {"revenue": 1_500, "compared": 2_600, "change_percent": -42.3},
            )
        ],
    ),
    "one product stands out": (
        Facts(PLAIN, products=[SAW], products_sold=120),
        [
            Insight(
                "product_concentration",
                "Circular Saw (PT-SAW-001) alone brings 12.6% of the revenue, of 120 products sold.",
                {"revenue": 1_259.86, "share_percent": 12.6, "products_sold": 120},
            )
        ],
    ),
    "discounts creep, margin goes": (
        Facts(replace(PLAIN, discount=416.67, cost=7_150), previous=before(PLAIN)),
        [
            Insight(
                "discount_creep",
                "Discounts took 4.0% of the undiscounted value, 2.0 points more than in the period before.",
                {"discount_percent": 4.0, "compared_percent": 2.0, "points": 2.0},
            ),
            Insight(
                "margin_drop",
                "Gross margin fell by 1.5 points to 28.5% of the revenue.",
                {"gross_margin_percent": 28.5, "compared_percent": 30.0, "points": -1.5},
            ),
        ],
    ),
    "products run out": (
        Facts(PLAIN, at_risk=[LOW], out_soon_count=3),
        [
            Insight(
                "stock_out_ahead",
                "3 products will be out of stock within 7 days at the pace of the last 28, first Ball Valve "
                "(PL-VAL-002) in Zava Retail Seattle: 2 left, 0.5 sold a day.",
                {"products": 3, "stock_level": 2, "sold_per_day": 0.5, "days_of_cover": 4.0},
            )
        ],
    ),
    "one product is out, in a store with hardly an order": (
        Facts(Totals(orders=2, revenue=90), at_risk=[replace(LOW, stock_level=0, days_of_cover=0)], out_soon_count=1),
        [
            Insight(
                "stock_out_ahead",
                "1 product will be out of stock within 7 days at the pace of the last 28, first Ball Valve "
                "(PL-VAL-002) in Zava Retail Seattle: 0 left, 0.5 sold a day.",
                {"products": 1, "stock_level": 0, "sold_per_day": 0.5, "days_of_cover": 0},
            )
        ],
    ),
    "a store beside its peers": (
        Facts(
            scaled(0.95),
            previous=before(PLAIN),
            peers=[Peer(scaled(1.2), scaled(1)), Peer(scaled(1.3), scaled(1.1)), Peer(scaled(1.4), scaled(1.3))],
        ),
        [
            Insight(
                "peer_order_value",
                "The average order ($95.00) is 26.9% below the median of 3 other stores ($130.00).",
                {"average_order_value": 95.0, "peer_median": 130.0, "difference_percent": -26.9},
            ),
            Insight(
                "peer_growth",
                "Against the period before revenue moved by -5.0%, the median of 3 other stores by +18.2%.",
                {"change_percent": -5.0, "peer_median_percent": 18.2, "points": -23.2},
            ),
        ],
    ),
}

FEW = replace(scaled(3), orders=29)
UNSAID: dict[str, Facts] = {
    "nothing sold": Facts(Totals(), previous=before(Totals()), last_year=before(Totals(), LAST_YEAR)),
    "nothing to compare with": Facts(scaled(2)),
    "too few orders now": Facts(
        FEW,
        previous=before(PLAIN),
        last_year=before(PLAIN, LAST_YEAR),
        categories=[category("Plumbing", 30_000, 100)],
        products=[SAW],
        products_sold=100,
        peers=[Peer(PLAIN, PLAIN)] * 3,
    ),
    "too few orders before": Facts(PLAIN, previous=before(FEW), last_year=before(FEW, LAST_YEAR)),
    "a small change": Facts(scaled(1.09), previous=before(PLAIN), last_year=before(scaled(1.1), LAST_YEAR)),
    "from nothing": Facts(PLAIN, previous=before(Totals(orders=40, revenue=0))),
    "no revenue at all in many orders": Facts(Totals(orders=40), previous=before(Totals(orders=40))),
    "a year earlier it went the other way": Facts(
        scaled(1.05),
        previous=before(PLAIN),
        last_year=before(scaled(1.0), LAST_YEAR),
        before_last_year=before(scaled(1.3), BEFORE_LAST_YEAR),
    ),
    "categories of like size": Facts(PLAIN, categories=[category("Plumbing", 3_900, 3_900)]),
    "a small category doubled": Facts(
        PLAIN, previous=before(PLAIN), categories=[category("Plumbing", 3_000, 3_000), category("Hardware", 400, 200)]
    ),
    "one dear piece": Facts(PLAIN, products=[replace(SAW, items=1)], products_sold=120),
    "hardly any products": Facts(PLAIN, products=[SAW], products_sold=9),
    "discounts fell, margin rose": Facts(replace(PLAIN, discount=0, cost=6_500), previous=before(PLAIN)),
    "stock for a week or more": Facts(PLAIN, at_risk=[replace(LOW, days_of_cover=9)], out_soon_count=0),
    "stock of now, and a period long over": Facts(PLAIN, at_risk=None, out_soon_count=4),
    "one peer is no median": Facts(PLAIN, previous=before(PLAIN), peers=[Peer(scaled(3), PLAIN)]),
    "peers with too few orders": Facts(PLAIN, previous=before(PLAIN), peers=[Peer(FEW, PLAIN)] * 3),
    "like its peers": Facts(PLAIN, previous=before(PLAIN), peers=[Peer(scaled(1.05), PLAIN)] * 3),
}


@pytest.mark.parametrize(("facts", "expected"), GOLDEN.values(), ids=GOLDEN)
def test_these_figures_say_exactly_this(facts: Facts, expected: list[Insight]) -> None:
    assert list(insights(facts)) == expected


@pytest.mark.parametrize("facts", UNSAID.values(), ids=UNSAID)
def test_of_these_figures_nothing_is_said(facts: Facts) -> None:
    assert insights(facts) == ()


def test_every_rule_has_its_golden_sentence() -> None:
    assert {insight.rule for _, expected in GOLDEN.values() for insight in expected} == set(RULES)


def test_every_number_of_a_sentence_stands_beside_it() -> None:
    for _, expected in GOLDEN.values():
        for insight in expected:
            text = re.sub(
                r"\d{4}-\d\d-\d\d|[A-Z]{2}-[A-Z]{3}-\d{3}|of the last 28|within 7 days|\d other stores",
                "",
                insight.sentence,
            )
            said = {abs(float(number.replace(",", ""))) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}
            known = {round(abs(value), 1) for value in insight.numbers.values()} | {
                float(round(abs(value))) for value in insight.numbers.values()
            }
            assert said <= known, insight


def test_the_document_explains_every_figure_rule_and_threshold() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert [name for name in DEFINITIONS if f"| `{name}` |" not in text] == []
    assert [rule for rule in RULES if f"| `{rule}` |" not in text] == []
    thresholds = {field.name: getattr(THRESHOLDS, field.name) for field in fields(Thresholds)}
    assert [name for name, value in thresholds.items() if f"| `{name}` | {value:g} |" not in text] == []
