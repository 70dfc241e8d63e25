"""The sums a performance report is made of, in one statement inside one tenant transaction.

Every table is read under row security: what comes back is of the stores in scope, whatever stores are asked for.
Orders count as sales when they are completed or processing, as the comment on `orders.status` says.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal
from uuid import UUID

from pydantic import TypeAdapter

from zava.data.tenant_context import TenantScope
from zava.data.tenant_transaction import TenantTransactions

RECENT_DAYS = 28
COVER_DAYS = 14
SOON_DAYS = 7
LEAST_SOLD = 3
LISTED = 10
_TIMEOUT_SECONDS = 8.0

SpanName = Literal["current", "previous", "last_year", "before_last_year", "recent"]
SPANS: tuple[SpanName, ...] = ("current", "previous", "last_year", "before_last_year", "recent")

_SOLD = "status IN ('completed', 'processing')"
# $1 the stores asked for, $2 to $11 beginning and end of the spans, $12 and $13 the beginnings of the trend's steps.
_BOUNDS = [(f"${number}::timestamptz", f"${number + 1}::timestamptz") for number in range(2, 12, 2)]
_SPAN_ROWS = ", ".join(f"('{span}', {start}, {end})" for span, (start, end) in zip(SPANS, _BOUNDS, strict=True))
# Says nothing the join with the spans does not say, but in a form whose share of the rows the planner can estimate.
_IN_ANY_SPAN = " OR ".join(f"o.order_date >= {start} AND o.order_date < {end}" for start, end in _BOUNDS)

# Of the stores not asked for, the current span and the revenue of the one before are wanted, to compare with. Lines are
# joined to the table itself: of a kept result the planner knows no distribution, and it would hash the larger side.
_FIGURES = f"""
WITH span (span, starts_at, ends_at) AS (VALUES {_SPAN_ROWS}),
store_orders AS (
    SELECT s.span, o.store_id, count(*) FILTER (WHERE {_SOLD}) AS orders,
           coalesce(sum(o.total_amount) FILTER (WHERE {_SOLD}), 0) AS revenue,
           count(*) FILTER (WHERE NOT {_SOLD}) AS lost
    FROM retail.orders AS o JOIN span AS s ON o.order_date >= s.starts_at AND o.order_date < s.ends_at
    WHERE s.span <> 'recent' AND ({_IN_ANY_SPAN})
    GROUP BY s.span, o.store_id
), line AS MATERIALIZED (
    SELECT s.span, i.store_id, i.product_id, sum(i.quantity) AS items, sum(i.total_amount) AS revenue,
           sum(i.discount_amount) AS discount
    FROM retail.orders AS o JOIN span AS s ON o.order_date >= s.starts_at AND o.order_date < s.ends_at
    JOIN retail.order_items AS i USING (order_id)
    WHERE {_SOLD} AND ({_IN_ANY_SPAN})
      AND (s.span = 'current' OR s.span <> 'before_last_year' AND o.store_id = ANY ($1::uuid[]))
    GROUP BY s.span, i.store_id, i.product_id
), store_lines AS (
    SELECT l.span, l.store_id, sum(l.items) AS items, sum(l.discount) AS discount, sum(l.items * p.cost) AS cost
    FROM line AS l JOIN retail.products AS p USING (product_id) GROUP BY l.span, l.store_id
), buyer AS (
    SELECT DISTINCT s.span, s.starts_at, o.store_id, o.customer_id
    FROM retail.orders AS o JOIN span AS s ON o.order_date >= s.starts_at AND o.order_date < s.ends_at
    WHERE {_SOLD} AND s.span IN ('current', 'previous', 'last_year') AND ({_IN_ANY_SPAN})
), store_buyers AS (
    SELECT span, store_id, count(*) AS buyers FROM buyer GROUP BY span, store_id
), store_returning AS (
    SELECT b.span, b.store_id, count(*) AS returning FROM buyer AS b
    WHERE EXISTS (SELECT FROM retail.orders AS e WHERE e.customer_id = b.customer_id AND e.order_date < b.starts_at
                  AND e.{_SOLD})
    GROUP BY b.span, b.store_id
), sums AS (
    SELECT span, store_id, o.orders, o.revenue, o.lost, coalesce(l.items, 0) AS items,
           coalesce(l.discount, 0) AS discount, coalesce(l.cost, 0) AS cost, coalesce(b.buyers, 0) AS buyers,
           coalesce(r.returning, 0) AS returning
    FROM store_orders AS o LEFT JOIN store_lines AS l USING (span, store_id)
    LEFT JOIN store_buyers AS b USING (span, store_id) LEFT JOIN store_returning AS r USING (span, store_id)
), asked AS (
    SELECT l.*, p.sku, p.product_name, p.category_id, p.discontinued
    FROM line AS l JOIN retail.products AS p USING (product_id) WHERE l.store_id = ANY ($1)
), category AS (
    SELECT c.category_name AS name, coalesce(sum(a.revenue) FILTER (WHERE a.span = 'current'), 0) AS revenue,
           coalesce(sum(a.revenue) FILTER (WHERE a.span = 'previous'), 0) AS previous
    FROM asked AS a JOIN retail.categories AS c USING (category_id)
    WHERE a.span IN ('current', 'previous') GROUP BY c.category_name
), product AS (
    SELECT a.sku, a.product_name AS name, c.category_name AS category,
           sum(a.items) FILTER (WHERE a.span = 'current') AS items,
           sum(a.revenue) FILTER (WHERE a.span = 'current') AS revenue,
           coalesce(sum(a.revenue) FILTER (WHERE a.span = 'previous'), 0) AS previous
    FROM asked AS a JOIN retail.categories AS c USING (category_id)
    WHERE a.span IN ('current', 'previous') GROUP BY a.sku, a.product_name, c.category_name
    HAVING count(*) FILTER (WHERE a.span = 'current') > 0
), risk AS (
    SELECT o.store_name AS store, a.sku, a.product_name AS name, i.stock_level, a.items AS sold,
           i.stock_level::numeric * {RECENT_DAYS} / a.items AS days_of_cover
    FROM asked AS a JOIN retail.inventory AS i USING (store_id, product_id) JOIN retail.stores AS o USING (store_id)
    WHERE a.span = 'recent' AND a.items >= {LEAST_SOLD} AND NOT a.discontinued
      AND i.stock_level::numeric * {RECENT_DAYS} < {COVER_DAYS} * a.items
), step AS (
    SELECT s.span, count(*) AS orders, sum(o.total_amount) AS revenue,
           width_bucket(o.order_date, CASE s.span WHEN 'current' THEN $12::timestamptz[] ELSE $13 END) AS number
    FROM retail.orders AS o JOIN span AS s ON o.order_date >= s.starts_at AND o.order_date < s.ends_at
    WHERE {_SOLD} AND s.span IN ('current', 'previous') AND o.store_id = ANY ($1) AND ({_IN_ANY_SPAN})
    GROUP BY s.span, number
)
SELECT json_build_object(
    'stores', (SELECT json_agg(s) FROM (SELECT store_id, store_name FROM retail.stores ORDER BY store_name) AS s),
    'sums', (SELECT coalesce(json_agg(s), '[]') FROM sums AS s),
    'steps', (SELECT coalesce(json_agg(s), '[]') FROM step AS s),
    'categories', (SELECT coalesce(json_agg(c), '[]') FROM (
        SELECT * FROM category ORDER BY revenue DESC, name LIMIT {LISTED}) AS c),
    'products', (SELECT coalesce(json_agg(p), '[]') FROM (
        SELECT * FROM product ORDER BY revenue DESC, sku LIMIT {LISTED}) AS p),
    'products_sold', (SELECT count(*) FROM product),
    'at_risk', (SELECT coalesce(json_agg(r), '[]') FROM (
        SELECT * FROM risk ORDER BY days_of_cover, sold DESC, sku, store LIMIT {LISTED}) AS r),
    'at_risk_count', (SELECT count(*) FROM risk),
    'out_soon_count', (SELECT count(*) FROM risk WHERE days_of_cover < {SOON_DAYS}),
    'first_order', (SELECT min(f.order_date) FROM unnest($1) AS s (store_id) CROSS JOIN LATERAL (
        SELECT o.order_date FROM retail.orders AS o WHERE o.store_id = s.store_id
        ORDER BY o.order_date LIMIT 1) AS f))
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class SalesSums:
    """What one store sold in one span, amounts in US dollars; `lost` counts returned and cancelled orders."""

    span: SpanName
    store_id: UUID
    orders: int
    revenue: float
    lost: int
    items: int
    discount: float
    cost: float
    buyers: int
    returning: int


@dataclass(frozen=True, slots=True)
class StoreName:
    store_id: UUID
    store_name: str


@dataclass(frozen=True, slots=True)
class StepSums:
    """`number` counts the steps of the span from 1."""

    span: SpanName
    number: int
    orders: int
    revenue: float


@dataclass(frozen=True, slots=True)
class CategorySums:
    name: str
    revenue: float
    previous: float


@dataclass(frozen=True, slots=True)
class ProductSums:
    sku: str
    name: str
    category: str
    items: int
    revenue: float
    previous: float


@dataclass(frozen=True, slots=True)
class ProductAtRisk:
    """`sold` in the last `RECENT_DAYS` days, by the store that holds the stock."""

    store: str
    sku: str
    name: str
    stock_level: int
    sold: int
    days_of_cover: float


@dataclass(frozen=True, slots=True)
class SalesFigures:
    """`stores` are all in scope. `sums` of a store not asked for hold lines for the current span only.

    Lists hold the `LISTED` largest or most urgent. At risk is what lasts less than `COVER_DAYS` days, soon out what
    lasts less than `SOON_DAYS`; what sold less than `LEAST_SOLD` pieces has no pace to go by.
    """

    stores: tuple[StoreName, ...]
    sums: tuple[SalesSums, ...]
    steps: tuple[StepSums, ...]
    categories: tuple[CategorySums, ...]
    products: tuple[ProductSums, ...]
    products_sold: int
    at_risk: tuple[ProductAtRisk, ...]
    at_risk_count: int
    out_soon_count: int
    first_order: dt.datetime | None


@cache
def _reader() -> TypeAdapter[SalesFigures]:
    """Built with the first report, because building takes longer than importing this file."""
    return TypeAdapter(SalesFigures)


class SalesFiguresSource:
    def __init__(self, transactions: TenantTransactions) -> None:
        self._transactions = transactions

    async def read(
        self,
        store_ids: frozenset[UUID],
        spans: Mapping[SpanName, tuple[dt.datetime, dt.datetime]],
        steps: Sequence[dt.datetime],
        previous_steps: Sequence[dt.datetime],
        scope: TenantScope,
        *,
        deadline: float,
    ) -> SalesFigures:
        """The sums of the stores `store_ids`; what of them is not in `scope` adds nothing.

        Args:
            spans: beginning and end (not included) of each of `SPANS`.
            steps: beginnings of the current span's steps, the first its own; likewise `previous_steps`.

        Raises:
            DatabaseError: and its kin, as `TenantTransactions.open` lists them.
        """
        bounds = [moment for span in SPANS for moment in spans[span]]
        async with self._transactions.open(scope, timeout_seconds=_TIMEOUT_SECONDS, deadline=deadline) as connection:
            document = await connection.fetchval(_FIGURES, list(store_ids), *bounds, list(steps), list(previous_steps))
        return _reader().validate_json(document)
