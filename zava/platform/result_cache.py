"""Answers that were given a moment ago, given again: in this worker's memory, and in a level that workers may share.

An answer is kept as JSON and read back into a new object each time, so nobody can change what another one gets. Its age
counts from before it was made, and an answer as old as the limit is not given again. Callers who ask the same at the
same time wait for one of them; if that one fails, each asks for himself, so nobody gets an error that is not his.

Nothing here decides who may see what. Whoever asks puts all that the answer depends on into the key.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import JsonValue, TypeAdapter, ValidationError
from pydantic_core import to_json

from zava.platform import telemetry
from zava.platform.bounded_cache import BoundedCache

T = TypeVar("T")

_ENTRY_BYTES = 512
"""What an entry takes beside its JSON: the key, the tuple, the place in the table, rounded up."""
_LARGEST_SHARE = 8
"""No answer takes more than an eighth of the memory."""


class SharedLevel(Protocol):
    """A level that several workers share. Neither method raises, nor takes longer than a moment."""

    async def get(self, key: str) -> tuple[bytes, float] | None:
        """The value and its age in seconds."""
        ...

    async def put(self, key: str, value: bytes, age: float) -> None: ...


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """Look-ups since the worker began, by where they found an answer; and what is held in memory now."""

    memory_hits: int
    shared_hits: int
    misses: int
    entries: int
    bytes: int


class ResultCache:
    """Belongs to one event loop's thread.

    Args:
        seconds: how long an answer may be given again; 0 keeps nothing.
        most_bytes: of memory.
        namespace: what all answers of this process depend on: the database, the code, the limits.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        seconds: float,
        most_bytes: int,
        namespace: Sequence[JsonValue] = (),
        shared: SharedLevel | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._largest = most_bytes // _LARGEST_SHARE
        self._namespace = list(namespace)
        self._shared = shared
        self._clock = clock
        self._memory: BoundedCache[str, tuple[bytes, float]] = BoundedCache(most_bytes)
        self._under_way: dict[str, asyncio.Future[bytes | None]] = {}
        self._memory_hits = 0
        self._shared_hits = 0
        self._misses = 0

    async def get_or_make(
        self,
        key: Sequence[JsonValue],
        make: Callable[[], Awaitable[T]],
        kind: TypeAdapter[T],
        *,
        deadline: float,
        keep: Callable[[T], bool] = lambda _answer: True,
    ) -> T:
        """The answer kept under `key`, or what `make` returns, which is then kept.

        Args:
            key: all that the answer depends on, as JSON; only a hash of it is kept.
            kind: turns the answer into JSON and back.
            deadline: on `time.monotonic`'s clock: until then another caller's answer to the same is waited for.
            keep: whether an answer may be given again.

        Raises:
            Exception: whatever `make` raises; nothing is kept then.
        """
        if not self._seconds:
            return await make()
        name = hashlib.sha256(to_json([self._namespace, list(key)])).hexdigest()
        if (kept := self._remembered(name)) is not None:
            self._memory_hits += 1
            telemetry.count("cache_hit", cache="answers")
            return kind.validate_json(kept)
        under_way = self._under_way.get(name)
        if under_way is not None and under_way.get_loop() is asyncio.get_running_loop():
            # Not awaited itself: a caller that gives up would cancel it for all.
            await asyncio.wait((under_way,), timeout=max(0.0, deadline - time.monotonic()))
            made = under_way.result() if under_way.done() else None
            if made is None:
                return await make()
            self._memory_hits += 1
            telemetry.count("cache_hit", cache="answers")
            return kind.validate_json(made)
        return await self._look_further(name, make, kind, keep)

    async def _look_further(
        self, name: str, make: Callable[[], Awaitable[T]], kind: TypeAdapter[T], keep: Callable[[T], bool]
    ) -> T:
        under_way = self._under_way[name] = asyncio.get_running_loop().create_future()
        value: bytes | None = None
        try:
            if self._shared is not None and (shared := await self._shared.get(name)) is not None:
                answer = self._answer_of(name, shared, kind)
                if answer is not None:
                    value = shared[0]
                    self._shared_hits += 1
                    telemetry.count("cache_hit", cache="answers_shared")
                    return answer
            self._misses += 1
            telemetry.count("cache_miss", cache="answers")
            began = self._clock()
            answer = await make()
            made = value = kind.dump_json(answer)
        finally:
            del self._under_way[name]
            under_way.set_result(value)
        if keep(answer) and self._remember(name, made, began) and self._shared is not None:
            await self._shared.put(name, made, self._clock() - began)
        return answer

    def _remembered(self, name: str) -> bytes | None:
        entry = self._memory.get(name)
        return entry[0] if entry is not None and self._clock() < entry[1] else None

    def _remember(self, name: str, value: bytes, began: float) -> bool:
        weight = len(value) + _ENTRY_BYTES
        if weight > self._largest:
            return False
        self._memory.put(name, (value, began + self._seconds), weight)
        return True

    def _answer_of(self, name: str, shared: tuple[bytes, float], kind: TypeAdapter[T]) -> T | None:
        value, age = shared
        if age >= self._seconds:
            return None
        try:
            answer = kind.validate_json(value)
        except ValidationError:
            return None
        self._remember(name, value, self._clock() - age)
        return answer

    def figures(self) -> CacheFigures:
        return CacheFigures(self._memory_hits, self._shared_hits, self._misses, len(self._memory), self._memory.weight)
