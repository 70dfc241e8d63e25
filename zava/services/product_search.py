"""Finds products by what they are described to be: by words, by meaning, and by both at once."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from zava.data.embedding_models import EmbeddingModels
from zava.data.product_search import ProductDetails, ProductSearch, ProductSearchSession, QueryWords
from zava.data.repeated_read import repeated_read
from zava.data.tenant_context import TenantScope
from zava.errors import ValidationError
from zava.platform.breaker import CircuitOpenError
from zava.platform.embedders.embedder import EmbedderError, Vector
from zava.platform.query_monitor import QueryMonitor
from zava.services.calls_in_flight import CallsInFlight
from zava.services.query_embedding import QueryEmbeddings
from zava.services.rank_fusion import fused
from zava.services.spelling import ProductVocabulary

logger = logging.getLogger(__name__)

MOST_ROWS = 100
DEFAULT_ROWS = 20
DEFAULT_THRESHOLD = 30.0
_MOST_CHARACTERS = 2_000
_MOST_WORDS = 32
_BY_WORDS = 100
_BY_MEANING_LEAST, _BY_MEANING_MOST = 50, 200
_FOR_THE_DATABASE_SECONDS = 5.0

_LETTERS = re.compile(r"[^\W\d_]+")
_NO_MODEL = "Found by words and spelling only, because no embedding model is set up: use words that product texts hold."
_NO_VECTOR = (
    "Found by words only, because search by meaning is not available at the moment: use words that product texts hold, "
    "or try again in a minute."
)

Mode = Literal["hybrid", "lexical", "vector"]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Products, the best first; how they were found, and what the caller should know of it (or an empty text)."""

    products: tuple[ProductDetails, ...]
    mode: Mode
    notice: str


@dataclass(frozen=True, slots=True)
class _Query:
    """What the database is asked: everything that had to be found out before a connection is taken."""

    text: str
    suspects: Mapping[str, Sequence[str]]
    model: str | None
    vector: Vector | None
    threshold: float
    rows: int


@dataclass(frozen=True, slots=True)
class _Found:
    products: list[ProductDetails]
    mode: Mode
    notices: list[str]


class ProductSearches:
    """A product that holds every word of the query, and one whose text means something near it, rank by both facts.

    What it costs to keep the legs apart: words alone find no synonym, vectors alone miss part numbers and rare words.
    Products that hold only some of the words are left to the vectors, which judge better what is meant; they are shown
    when there are no vectors to go by.
    """

    def __init__(
        self,
        search: ProductSearch,
        models: EmbeddingModels,
        embeddings: QueryEmbeddings,
        vocabulary: ProductVocabulary,
        calls_in_flight: CallsInFlight,
        monitor: QueryMonitor,
    ) -> None:
        self._search = search
        self._models = models
        self._embeddings = embeddings
        self._vocabulary = vocabulary
        self._calls_in_flight = calls_in_flight
        self._monitor = monitor

    async def find(
        self,
        description: str,
        scope: TenantScope,
        *,
        max_rows: int = DEFAULT_ROWS,
        similarity_threshold: float = DEFAULT_THRESHOLD,
        deadline: float,
    ) -> SearchResult:
        """Products that fit a description, with the stock of the stores in `scope`.

        Args:
            max_rows: 1 to 100; beyond, the nearest of these is taken, and the notice says so.
            similarity_threshold: percent, 0 to 100, likewise; what is found by meaning alone is at least so similar.
            deadline: on `time.monotonic`'s clock.

        Raises:
            ValidationError: the threshold is no number.
            BusyError: the caller has too many calls running.
            DatabaseError: and its kin, as `TenantTransactions.open` lists them.
        """
        if not math.isfinite(similarity_threshold):
            raise ValidationError("similarity_threshold must be a number from 0 to 100.", "Leave it out for 30.")
        notices: list[str] = []
        rows = int(_clamped("max_rows", max_rows, 1, MOST_ROWS, notices))
        threshold = _clamped("similarity_threshold", similarity_threshold, 0, 100, notices) / 100
        text = _cleaned(description, notices)
        if not text:
            return SearchResult((), "lexical", _joined([*notices, "The query is empty: describe the product."]))
        async with self._calls_in_flight.one_more(scope.subject):
            model, vector = await self._vector(text, deadline, notices)
            suspects = await self._suspects(text)
            with self._monitor.watch("semantic_search_products"):
                query = _Query(text, suspects, model, vector, threshold, rows)
                found = await repeated_read(lambda: self._look_up(query, scope, deadline), deadline=deadline)
        notices += found.notices
        if not found.products:
            notices.append("Nothing fits: use other words, or a lower similarity_threshold.")
        return SearchResult(tuple(found.products), found.mode, _joined(notices))

    async def _look_up(self, query: _Query, scope: TenantScope, deadline: float) -> _Found:
        notices: list[str] = []
        async with self._search.open(scope, deadline=deadline) as session:
            words = await self._words(query.text, query.suspects, session, notices)
            by_words = await session.with_every_word(words, _BY_WORDS)
            if query.model is not None and query.vector is not None:
                most = min(_BY_MEANING_MOST, max(_BY_MEANING_LEAST, 2 * query.rows))
                by_meaning = await session.by_meaning(query.model, query.vector, query.threshold, most)
                found = fused(by_words, by_meaning)[: query.rows]
                mode: Mode = "hybrid" if any(letter.isalnum() for letter in query.text) else "vector"
                if not self._embeddings.knows_meaning(query.model):
                    mode = "lexical"
                    notices.append(_NO_MODEL)
            else:
                found = by_words[: query.rows]
                if len(found) < query.rows:
                    some = await session.with_some_words(words, query.rows)
                    found = list(dict.fromkeys([*found, *some]))[: query.rows]
                mode = "lexical"
            return _Found(await session.describe(found, query.model, query.vector), mode, notices)

    async def _vector(self, text: str, deadline: float, notices: list[str]) -> tuple[str, Vector] | tuple[None, None]:
        """The active model and the query's vector, before a connection is taken; neither when it cannot be had."""
        model = await self._models.active()
        try:
            if model is not None:
                timeout = deadline - time.monotonic() - _FOR_THE_DATABASE_SECONDS
                return model, await self._embeddings.vector(model, text, timeout=timeout)
        except (EmbedderError, CircuitOpenError) as problem:
            logger.warning("a search goes on with words alone: %s", problem)
        notices.append(_NO_VECTOR)
        return None, None

    async def _suspects(self, text: str) -> Mapping[str, Sequence[str]]:
        """Words of the query that stand in no product text as they are, and what each may have been meant to be."""
        vocabulary = await self._vocabulary.current()
        words = list(dict.fromkeys(_LETTERS.findall(text.lower())))[:_MOST_WORDS]
        meant = {word: vocabulary.meant_by(word) for word in words if word not in vocabulary}
        return {word: suggestions for word, suggestions in meant.items() if suggestions}

    async def _words(
        self, text: str, suspects: Mapping[str, Sequence[str]], session: ProductSearchSession, notices: list[str]
    ) -> QueryWords:
        # A word may stand in no text as it is and still be known, in another inflection: only the database can tell.
        unknown = await session.unknown_words(list(suspects)) if suspects else []
        corrections = {word: suspects[word] for word in suspects if word in unknown}
        if not corrections:
            return QueryWords(text, text)
        for word, suggestions in corrections.items():
            notices.append(f"No product text holds {word!r}: {', '.join(suggestions)} was searched for.")
        groups = [" | ".join(map(_quoted, _spellings(token, corrections))) for token in text.split()]
        suggested = (suggestion for suggestions in corrections.values() for suggestion in suggestions)
        return QueryWords(" & ".join(f"({group})" for group in groups), " ".join([text, *suggested]), corrected=True)


def _spellings(token: str, corrections: Mapping[str, Sequence[str]]) -> list[str]:
    """The token, or what it may have been meant to be."""
    lowered = token.lower()
    for word in _LETTERS.findall(lowered):
        if word in corrections:
            return [lowered.replace(word, suggestion) for suggestion in corrections[word]]
    return [token]


def _quoted(word: str) -> str:
    """A word of a tsquery, its own quotes and backslashes doubled."""
    doubled = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"


def _cleaned(text: str, notices: list[str]) -> str:
    """Text that PostgreSQL can hold (no NUL, no half of a surrogate pair), of a length worth reading."""
    if len(text) > _MOST_CHARACTERS:
        notices.append(f"Only the first {_MOST_CHARACTERS} characters of the query were read.")
    return text[:_MOST_CHARACTERS].encode(errors="replace").decode().replace("\0", " ").strip()


def _clamped(name: str, value: float, least: int, most: int, notices: list[str]) -> float:
    if least <= value <= most:
        return value
    nearest = least if value < least else most
    notices.append(f"{name} is from {least} to {most}, so {nearest} was taken.")
    return nearest


def _joined(notices: Sequence[str]) -> str:
    return " ".join(notices)
