"""The seam behind which texts become vectors."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Vector: TypeAlias = "array[float]"
"""Single-precision numbers, 4 bytes each: a list of Python's floats would take eight times as much."""


class EmbedderError(Exception):
    """No vectors. The message is for operators and logs; it quotes no text that was to be embedded."""


class EmbedderUnavailableError(EmbedderError):
    """Nothing is wrong with the texts: the embedder is away, slow, throttled, or set up wrongly.

    `retry_after` is the wait in seconds that it asked for; `throttled` says that the rate of requests is why.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, throttled: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.throttled = throttled


class EmbedderNotReadyError(EmbedderUnavailableError):
    """What the embedder is made of is still being loaded, as with the first text of a process; it was not asked yet."""


class TextRefusedError(EmbedderError):
    """The embedder will not take the texts, at least one of them; asking again with the same ones is no use."""


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What fits into one call of `embed`: so many texts, so many tokens together, so many tokens in one text."""

    texts: int
    tokens: int
    tokens_of_one: int


@dataclass(frozen=True, slots=True)
class Embedded:
    """One vector a text, in order, and the number of tokens that were paid for."""

    vectors: list[Vector]
    tokens: int


class Embedder(Protocol):
    """Vectors of texts by one model, whose name tells them from those of every other model."""

    @property
    def model(self) -> str: ...

    @property
    def knows_meaning(self) -> bool:
        """Whether texts with the same meaning and other words get similar vectors."""
        ...

    @property
    def limits(self) -> RequestLimits: ...

    async def embed(self, texts: Sequence[str], *, timeout: float) -> Embedded:  # noqa: ASYNC109  (a deadline of every step inside)
        """Vectors of the same number of dimensions, at most 1536, with a length other than zero.

        Raises:
            EmbedderUnavailableError: within `timeout` seconds there was no usable answer.
            TextRefusedError: the service answered that it does not take these texts.
        """
        ...


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has, rather too many: a token of English is four bytes, of other languages three.

    No tokenizer is a dependency of the app for it: a request that turns out too large is refused and then split.
    """
    return len(text.encode()) // 3 + 1
