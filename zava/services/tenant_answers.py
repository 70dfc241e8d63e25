"""Answers to tenants, given again for a short while, to callers who see the same stores by the same rights."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import JsonValue, TypeAdapter

from zava.data.tenant_context import TenantScope
from zava.platform.result_cache import ResultCache

T = TypeVar("T")


class TenantAnswers:
    """The only way tenants' rows get into the cache: its key always holds the stores and the rights of the caller.

    It is asked after the caller has been admitted (token, revocation, scope, permission, rate), so a kept answer is
    given to nobody whom the database would not give it to. The tenant context is not proven again for it: the rows came
    out of a transaction in which it was proven for just these stores.
    """

    def __init__(self, cache: ResultCache) -> None:
        self._cache = cache

    async def get_or_make(
        self,
        operation: str,
        question: JsonValue,
        scope: TenantScope,
        make: Callable[[], Awaitable[T]],
        kind: TypeAdapter[T],
        *,
        deadline: float,
        keep: Callable[[T], bool] = lambda _answer: True,
    ) -> T:
        """The answer to `question` (exact SQL text, parameters) within `scope`; see `ResultCache.get_or_make`."""
        stores = sorted(str(store_id) for store_id in scope.store_ids)
        key: list[JsonValue] = [operation, question, [*stores], [*sorted(scope.rights)]]
        return await self._cache.get_or_make(key, make, kind, deadline=deadline, keep=keep)
