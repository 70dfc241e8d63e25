"""The words that product texts are written with, for finding what a misspelt word was meant to be."""

from __future__ import annotations

from zava.data.app_transaction import app_transaction
from zava.data.pools import Pools

_MOST_WORDS = 20_000
_MOST_PRODUCTS = 20_000  # a larger catalogue is sampled: its frequent words are in any twenty thousand of its texts

_WORDS = r"""
SELECT word, ndoc FROM ts_stat(format(
    $$ SELECT to_tsvector('simple', product_name || ' ' || product_description)
       FROM retail.products TABLESAMPLE SYSTEM (%s) $$,
    (SELECT least(100, 100.0 * $1 / greatest(reltuples, 1)) FROM pg_class WHERE oid = 'retail.products'::regclass)))
WHERE word ~ '^[a-z]{3,20}$' ORDER BY ndoc DESC, word LIMIT $2
"""


async def read_product_words(pools: Pools) -> dict[str, int]:
    """Words of 3 to 20 letters a to z as they stand in the texts, each with the number of products that hold it.

    Raises:
        DatabaseError: and its kin, as `app_transaction` lists them.
    """
    async with app_transaction(pools, statement_seconds=10) as connection:
        return {row[0]: row[1] for row in await connection.fetch(_WORDS, _MOST_PRODUCTS, _MOST_WORDS)}
