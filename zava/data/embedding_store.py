"""Products' texts and the vectors made of them, through the app login."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from zava.data.pools import Pools

DIMENSIONS = 1536

# A product's text and its hash; the same expression decides whether a stored vector is stale.
_TEXT = "p.product_name || E'\\n' || p.product_description"
_HASH = f"encode(sha256(convert_to({_TEXT}, 'UTF8')), 'hex')"


@dataclass(frozen=True, slots=True)
class ProductText:
    product_id: UUID
    text: str
    content_hash: str


class EmbeddingStore:
    def __init__(self, pools: Pools) -> None:
        self._pools = pools

    async def stale_products(self, model: str, limit: int) -> list[ProductText]:
        """Up to `limit` products without a vector of `model`, or whose text has changed since."""
        async with self._pools.app.connection() as connection:
            rows = await connection.fetch(
                f"""SELECT p.product_id, {_TEXT} AS text, {_HASH} AS content_hash FROM retail.products AS p
                    LEFT JOIN retail.product_description_embeddings AS e
                           ON e.product_id = p.product_id AND e.embedding_model = $1
                    WHERE e.content_hash IS DISTINCT FROM {_HASH} ORDER BY p.product_id LIMIT $2""",  # noqa: S608
                model,
                limit,
            )
        return [ProductText(row["product_id"], row["text"], row["content_hash"]) for row in rows]

    async def save(self, model: str, products: Sequence[ProductText], vectors: Sequence[Sequence[float]]) -> None:
        """Store one vector a product. Shorter vectors are padded with zeros, which leaves cosine distances alone."""
        async with self._pools.app.connection() as connection:
            await connection.executemany(
                """INSERT INTO retail.product_description_embeddings
                       (product_id, embedding_model, description_embedding, content_hash)
                   VALUES ($1, $2, $3, $4)
                   ON CONFLICT (product_id, embedding_model) DO UPDATE
                   SET description_embedding = excluded.description_embedding, content_hash = excluded.content_hash,
                       last_updated = now()""",
                [
                    (product.product_id, model, [*vector, *[0.0] * (DIMENSIONS - len(vector))], product.content_hash)
                    for product, vector in zip(products, vectors, strict=True)
                ],
            )
