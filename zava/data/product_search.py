"""The two ways to find products, by their words and by their vectors, and what is shown of those found.

All of it runs in a tenant transaction: the catalogue is everybody's, the stock is that of the stores in scope.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from asyncpg.pool import PoolConnectionProxy
from pydantic import JsonValue

from zava.data.json_values import json_value
from zava.data.tenant_context import TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.data.vectors import column_vector

_TIMEOUT_SECONDS = 8.0

# The expression of the index products_document, to the letter.
_DOCUMENT = "to_tsvector('english', sku || ' ' || product_name || ' ' || product_description)"
_NAME = "to_tsvector('english', sku || ' ' || product_name)"
# A word that many products hold says little; what it would add to the order beyond so many is not worth their number.
_MOST_PRODUCTS_A_WORD = 2_000
_MOST_WORDS = 32

# A text as a query that any of its words satisfies. The words are lexemes already: quoted, they are taken as they are.
_ANY_WORD = rf"""
(SELECT string_agg('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''', ' | ')::tsquery
   FROM (SELECT lexeme FROM unnest(to_tsvector('english', $2)) ORDER BY positions[1] LIMIT {_MOST_WORDS}) AS w)
"""  # noqa: S608

# Those with most of the words in their name come first, short names before long ones.
_EVERY_WORD = f"""
WITH query AS (SELECT CASE WHEN $3 THEN to_tsquery('english', $1) ELSE websearch_to_tsquery('english', $1) END AS every,
                      {_ANY_WORD} AS any_word)
SELECT f.product_id FROM query AS q CROSS JOIN LATERAL (
    SELECT product_id, sku, {_NAME} AS name FROM retail.products
    WHERE {_DOCUMENT} @@ q.every AND NOT discontinued LIMIT {_MOST_PRODUCTS_A_WORD}) AS f
ORDER BY ts_rank(f.name, q.any_word, 2) DESC, f.sku LIMIT $4
"""  # noqa: S608

# Each word counts by how rare it is (inverse document frequency), twice where it stands in the name.
_SOME_WORDS = rf"""
WITH word AS (
    SELECT lexeme, ('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''')::tsquery AS query
    FROM unnest(to_tsvector('english', $1)) ORDER BY positions[1] LIMIT {_MOST_WORDS}
), hit AS MATERIALIZED (
    SELECT w.lexeme, f.product_id FROM word AS w CROSS JOIN LATERAL (
        SELECT product_id FROM retail.products WHERE {_DOCUMENT} @@ w.query AND NOT discontinued
        LIMIT {_MOST_PRODUCTS_A_WORD}) AS f
), weight AS (
    SELECT lexeme, ln(1 + {_MOST_PRODUCTS_A_WORD}.0 / count(*)) AS rarity FROM hit GROUP BY lexeme
), best AS (
    SELECT product_id, sum(rarity) AS score, array_agg(lexeme) AS lexemes, array_agg(rarity) AS rarities
    FROM hit JOIN weight USING (lexeme) GROUP BY product_id ORDER BY score DESC, product_id LIMIT 200
)
SELECT product_id FROM best JOIN retail.products AS p USING (product_id)
ORDER BY score + (SELECT coalesce(sum(u.rarity), 0) FROM unnest(lexemes, rarities) AS u (lexeme, rarity)
                   WHERE u.lexeme = ANY (tsvector_to_array({_NAME}))) DESC, p.sku LIMIT $2
"""  # noqa: S608

_UNKNOWN = f"""
SELECT word FROM unnest($1::text[]) AS word
WHERE numnode(plainto_tsquery('english', word)) > 0
  AND NOT EXISTS (SELECT FROM retail.products WHERE {_DOCUMENT} @@ plainto_tsquery('english', word))
"""  # noqa: S608

_BY_MEANING = """
SELECT s.product_id FROM retail.search_products_by_description($1, $2, $3, $4) AS s
JOIN retail.products AS p USING (product_id)
WHERE NOT p.discontinued ORDER BY s.similarity DESC, p.sku
"""

_DESCRIBE = """
SELECT p.product_id, p.sku, p.product_name, c.category_name, t.type_name, p.base_price, p.product_description,
       (SELECT 1 - (e.description_embedding <=> $2) FROM retail.product_description_embeddings AS e
         WHERE e.product_id = p.product_id AND e.embedding_model = $3) AS similarity,
       s.names, s.levels
FROM retail.products AS p JOIN retail.categories AS c USING (category_id) JOIN retail.product_types AS t USING (type_id)
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(o.store_name ORDER BY o.store_name), '{}') AS names,
           coalesce(array_agg(i.stock_level ORDER BY o.store_name), '{}') AS levels
    FROM retail.inventory AS i JOIN retail.stores AS o USING (store_id) WHERE i.product_id = p.product_id) AS s
WHERE p.product_id = ANY ($1) ORDER BY array_position($1, p.product_id)
"""


@dataclass(frozen=True, slots=True)
class QueryWords:
    """What the words are looked up by.

    `every` is in the syntax of `websearch_to_tsquery`, or of `to_tsquery` when `corrected`; `any_of` is plain text.
    """

    every: str
    any_of: str
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class ProductDetails:
    """A product as everybody may see it (no cost, no margin), with the stock of the stores in scope by their names.

    `similarity` is from -1 to 1, or None without a vector to compare with.
    """

    product_id: UUID
    sku: str
    name: str
    category: str
    type_name: str
    price: JsonValue
    description: str
    similarity: float | None
    stock: Mapping[str, int]


class ProductSearch:
    def __init__(self, transactions: TenantTransactions) -> None:
        self._transactions = transactions

    @asynccontextmanager
    async def open(self, scope: TenantScope, *, deadline: float) -> AsyncGenerator[ProductSearchSession]:
        """Raises DatabaseError and its kin, as `TenantTransactions.open` lists them."""
        async with self._transactions.open(scope, timeout_seconds=_TIMEOUT_SECONDS, deadline=deadline) as connection:
            yield ProductSearchSession(connection)


class ProductSearchSession:
    """Looks into the catalogue within one tenant transaction. Products that are discontinued are not found."""

    def __init__(self, connection: PoolConnectionProxy) -> None:
        self._connection = connection

    async def unknown_words(self, words: Sequence[str]) -> list[str]:
        """Those of the words that no product holds in any inflection."""
        return [row[0] for row in await self._connection.fetch(_UNKNOWN, list(words))]

    async def with_every_word(self, words: QueryWords, most: int) -> list[UUID]:
        """Products that satisfy the whole query, the best first; none for a query without words."""
        rows = await self._connection.fetch(_EVERY_WORD, words.every, words.any_of, words.corrected, most)
        return [row[0] for row in rows]

    async def with_some_words(self, words: QueryWords, most: int) -> list[UUID]:
        """Products that hold at least one of the words, the best first."""
        return [row[0] for row in await self._connection.fetch(_SOME_WORDS, words.any_of, most)]

    async def by_meaning(self, model: str, vector: array[float], least_similarity: float, most: int) -> list[UUID]:
        """Products whose vectors of `model` are nearest, and at least so similar (-1 to 1)."""
        rows = await self._connection.fetch(_BY_MEANING, column_vector(vector), least_similarity, most, model)
        return [row[0] for row in rows]

    async def describe(
        self, product_ids: Sequence[UUID], model: str | None, vector: array[float] | None
    ) -> list[ProductDetails]:
        """The products, in the order asked for."""
        asked = None if vector is None else column_vector(vector)
        rows = await self._connection.fetch(_DESCRIBE, list(product_ids), asked, model)
        return [
            ProductDetails(
                product_id=row["product_id"],
                sku=row["sku"],
                name=row["product_name"],
                category=row["category_name"],
                type_name=row["type_name"],
                price=json_value(row["base_price"]),
                description=row["product_description"],
                similarity=row["similarity"],
                stock=dict(zip(row["names"], row["levels"], strict=True)),
            )
            for row in rows
        ]
