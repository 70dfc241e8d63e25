"""What turns text into vectors: the seam, and the implementation that needs no model."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Protocol


class Embedder(Protocol):
    """Vectors of texts. `model` names what made them: vectors of two models are never compared."""

    @property
    def model(self) -> str: ...

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector a text, in order, each of the same number of dimensions (at most 1536)."""
        ...


class HashingEmbedder:
    """Words and their trigrams hashed into 384 dimensions: finds shared and misspelt words, knows no meaning."""

    model = "hash-384"
    _DIMENSIONS = 384

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * self._DIMENSIONS
        for word in "".join(c if c.isalnum() else " " for c in text.lower()).split():
            padded = f" {word} "
            for piece in (word, *(padded[start : start + 3] for start in range(len(padded) - 2))):
                digest = hashlib.blake2b(piece.encode(), digest_size=4).digest()
                number = int.from_bytes(digest, "big")
                vector[number % self._DIMENSIONS] += 1.0 if number & 0x8000_0000 else -1.0
        length = math.sqrt(sum(value * value for value in vector))
        return [value / length for value in vector] if length else [1.0, *vector[1:]]
