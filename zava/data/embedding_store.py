"""Products' texts, and the vectors made of them, through the app login."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from zava.data.app_transaction import app_transaction
from zava.data.embedding_lease import Lease
from zava.data.pools import Pools
from zava.data.vectors import column_vector
from zava.errors import DatabaseError
from zava.platform.embedders.embedder import Vector

MOST_CHARACTERS = 40_000
"""A longer text is read one character beyond, and no more: no model takes it, and a batch must fit in memory."""

# A hash of every product's text is a matter of seconds for a million products.
_SCAN_SECONDS = 300.0

# What is embedded of a product, and the hash that tells whether a stored vector, or a refusal, is of the text as it is.
# The kind of product goes first: it helps a small model more than it costs. No text at all stays empty.
_PRODUCTS = """
FROM (
    SELECT p.product_id, t.text, encode(sha256(convert_to(t.text, 'UTF8')), 'hex') AS content_hash
    FROM retail.products AS p JOIN retail.product_types AS k USING (type_id)
    CROSS JOIN LATERAL (SELECT CASE WHEN p.product_name || p.product_description ~ '\\S'
        THEN k.type_name || ': ' || p.product_name || E'\\n' || p.product_description ELSE '' END AS text) AS t
) AS p
LEFT JOIN retail.product_description_embeddings AS e ON e.product_id = p.product_id AND e.embedding_model = $1
LEFT JOIN zava.refused_text AS r ON r.product_id = p.product_id AND r.embedding_model = $1
"""
_IS_STALE = "(e.content_hash IS DISTINCT FROM p.content_hash AND r.content_hash IS DISTINCT FROM p.content_hash)"

# A product that is deleted meanwhile is left out by the join.
_SAVE = """
INSERT INTO retail.product_description_embeddings (product_id, embedding_model, description_embedding, content_hash)
SELECT p.product_id, $1, $3::vector, $4 FROM retail.products AS p WHERE p.product_id = $2
ON CONFLICT (product_id, embedding_model) DO UPDATE
SET description_embedding = excluded.description_embedding, content_hash = excluded.content_hash, last_updated = now()
"""
_REFUSE = """
INSERT INTO zava.refused_text (product_id, embedding_model, content_hash, reason)
SELECT p.product_id, $1, $3, $4 FROM retail.products AS p WHERE p.product_id = $2
ON CONFLICT (product_id, embedding_model) DO UPDATE
SET content_hash = excluded.content_hash, reason = excluded.reason, refused_at = now()
"""


@dataclass(frozen=True, slots=True)
class ProductText:
    product_id: UUID
    text: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class CatalogueState:
    """How many products there are, and how many of them have no vector of their text, nor a refusal of it."""

    products: int
    stale: int


class EmbeddingStore:
    """Every method raises the errors that `app_transaction` lists."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools

    async def state(self, model: str) -> CatalogueState:
        async with app_transaction(self._pools, statement_seconds=_SCAN_SECONDS) as connection:
            row = await connection.fetchrow(
                f"SELECT count(*), count(*) FILTER (WHERE {_IS_STALE}) {_PRODUCTS}",
                model,
            )
        assert row is not None  # noqa: S101  (an aggregate without GROUP BY has one row)
        return CatalogueState(row[0], row[1])

    async def stale_texts(self, model: str, after: UUID, most: int) -> list[ProductText]:
        """The next products, by id from `after` on, whose text `model` has yet to see as it is."""
        async with app_transaction(self._pools, statement_seconds=_SCAN_SECONDS) as connection:
            rows = await connection.fetch(
                f"""SELECT p.product_id, left(p.text, {MOST_CHARACTERS + 1}), p.content_hash {_PRODUCTS}
                    WHERE p.product_id > $2 AND {_IS_STALE} ORDER BY p.product_id LIMIT $3""",
                model,
                after,
                most,
            )
        return [ProductText(*row) for row in rows]

    async def save(
        self,
        lease: Lease,
        model: str,
        embedded: Sequence[tuple[ProductText, Vector]],
        refused: Sequence[tuple[ProductText, str]],
    ) -> None:
        """Store one batch, all of it or nothing, if `lease` is still held.

        A text that was refused loses the vector of the text it had before: better none than a wrong one.

        Raises:
            LeaseLostError: another run has taken over; nothing was stored.
        """
        try:
            await self._save(lease, model, embedded, refused)
        except DatabaseError as problem:
            # A product was deleted between the statement's own look at it and the check of its key.
            if not isinstance(problem.__cause__, asyncpg.ForeignKeyViolationError):
                raise
            await self._save(lease, model, embedded, refused)

    async def _save(
        self,
        lease: Lease,
        model: str,
        embedded: Sequence[tuple[ProductText, Vector]],
        refused: Sequence[tuple[ProductText, str]],
    ) -> None:
        async with app_transaction(self._pools) as connection:
            await lease.extend(connection)
            await connection.executemany(
                _SAVE,
                (
                    (model, product.product_id, column_vector(vector), product.content_hash)
                    for product, vector in embedded
                ),
            )
            await connection.executemany(
                _REFUSE, ((model, product.product_id, product.content_hash, reason) for product, reason in refused)
            )
            await connection.execute(
                "DELETE FROM zava.refused_text WHERE embedding_model = $1 AND product_id = ANY ($2)",
                model,
                [product.product_id for product, _ in embedded],
            )
            await connection.execute(
                """DELETE FROM retail.product_description_embeddings
                   WHERE embedding_model = $1 AND product_id = ANY ($2)""",
                model,
                [product.product_id for product, _ in refused],
            )
