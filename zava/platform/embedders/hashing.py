"""The embedder that needs no model: for tests, and for a start without one."""

from __future__ import annotations

import asyncio
import hashlib
import math
from array import array
from collections.abc import Sequence

from zava.platform.embedders.embedder import Embedded, RequestLimits, Vector

_DIMENSIONS = 384


class HashingEmbedder:
    """Words and their trigrams hashed into 384 dimensions: finds shared and misspelt words, knows no meaning."""

    model = "hash-384"
    knows_meaning = False
    limits = RequestLimits(texts=256, tokens=100_000, tokens_of_one=10_000)

    async def embed(self, texts: Sequence[str], *, timeout: float) -> Embedded:  # noqa: ARG002, ASYNC109  (it never waits)
        vectors = await asyncio.to_thread(lambda: [_vector(text) for text in texts])
        return Embedded(vectors, tokens=0)


def _vector(text: str) -> Vector:
    counts = [0.0] * _DIMENSIONS
    for word in "".join(c if c.isalnum() else " " for c in text.lower()).split():
        padded = f" {word} "
        for piece in (word, *(padded[start : start + 3] for start in range(len(padded) - 2))):
            number = int.from_bytes(hashlib.blake2b(piece.encode(), digest_size=4).digest(), "big")
            counts[number % _DIMENSIONS] += 1.0 if number & 0x8000_0000 else -1.0
    length = math.sqrt(sum(count * count for count in counts))
    # A text without letters has no direction of its own: it gets one, because a zero vector has no cosine.
    return array("f", (count / length for count in counts)) if length else array("f", [1.0, *counts[1:]])
