"""Reciprocal rank fusion: one ranking out of several whose scores cannot be compared (Cormack et al., SIGIR 2009)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)

_K = 60
"""The authors' constant: it keeps one ranking's first place from outweighing agreement between rankings."""


def fused(*rankings: Sequence[T]) -> list[T]:
    """Everything that is in a ranking, by the sum of 1 / (60 + rank); ties as they are first met."""
    scores: defaultdict[T, float] = defaultdict(float)
    for ranking in rankings:
        for rank, item in enumerate(dict.fromkeys(ranking), 1):
            scores[item] += 1 / (_K + rank)
    return sorted(scores, key=lambda item: -scores[item])
