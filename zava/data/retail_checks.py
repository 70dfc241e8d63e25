"""What only the retailer's own rows can tell of a restored copy: the questions that `backup_check.py` asks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Question:
    """`sql` gives one value, which the report shows beside `what`; where it `must_be_zero`, any other one is a loss."""

    what: str
    sql: str
    must_be_zero: bool = False


OF_TENANT_ROWS: Final = (
    Question(
        "orders that are not the sum of their items",
        """SELECT count(*) FROM retail.orders AS o
           LEFT JOIN (SELECT order_id, sum(total_amount) AS total FROM retail.order_items GROUP BY order_id) AS i
           USING (order_id)
           WHERE o.total_amount IS DISTINCT FROM coalesce(i.total, 0)""",
        must_be_zero=True,
    ),
    Question("newest order", "SELECT max(order_date) FROM retail.orders"),
)
"""Asked as the reader, who sees every store."""

OF_SHARED_ROWS: Final = (
    # No loss: the timer embeds them again.
    Question(
        "products without a vector",
        """SELECT count(*) FROM retail.products AS p, zava.active_embedding_model AS a
           WHERE NOT EXISTS (SELECT FROM retail.product_description_embeddings AS e
                             WHERE e.product_id = p.product_id AND e.embedding_model = a.embedding_model)""",
    ),
)
"""Asked as the owner of the tables, whom row security shows no tenant's row."""
