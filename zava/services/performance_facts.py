"""What the rules for insights go by: the facts of one report, and the thresholds, all in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zava.data.sales_figures import CategorySums, ProductAtRisk, ProductSums
from zava.services.performance_sums import Totals
from zava.services.time_period import Span


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Shares and changes in percent, differences of two shares in percentage points."""

    least_orders: int = 30
    growth: float = 10
    driver_share: float = 70
    season_difference: float = 10
    category_share: float = 40
    category_change: float = 25
    category_least_share: float = 5
    product_share: float = 10
    product_least_items: int = 5
    product_least_sold: int = 10
    discount_points: float = 1
    margin_points: float = 1
    peer_difference: float = 15
    peer_growth_points: float = 10
    least_peers: int = 2


THRESHOLDS = Thresholds()


@dataclass(frozen=True, slots=True)
class Compared:
    """Another span and what was sold in it."""

    span: Span
    totals: Totals


@dataclass(frozen=True, slots=True)
class Peer:
    """Another store of the caller's: the span asked for, and the one before where it can be compared with."""

    current: Totals
    previous: Totals | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules go by. A comparison is None where the data do not reach back to its beginning.

    `last_year` is also None where it is the period before: a year is compared with the same year twice. Stock is that
    of now, hence None for a period that is long over.
    """

    current: Totals
    previous: Compared | None = None
    last_year: Compared | None = None
    before_last_year: Compared | None = None
    categories: Sequence[CategorySums] = ()
    products: Sequence[ProductSums] = ()
    products_sold: int = 0
    at_risk: Sequence[ProductAtRisk] | None = None
    out_soon_count: int = 0
    peers: Sequence[Peer] = ()
