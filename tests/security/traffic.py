"""Calls of all eight tenants at once, each answer checked for whose rows are in it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from tests.security.canaries import Evidence
from zava.data.query_runner import QueryLimits, QueryRunner
from zava.data.tenant_context import TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.errors import MCPError, QueryTimeoutError
from zava.local.stores import STORES, SampleStore
from zava.platform.query_monitor import QueryMonitor
from zava.platform.result_cache import ResultCache
from zava.services.calls_in_flight import CallsInFlight
from zava.services.sales_query import SalesQueries
from zava.services.tenant_answers import TenantAnswers

_CALLERS = 24  # three a tenant, as many as one may have in flight
_LIMITS = QueryLimits(max_rows=1_000, max_bytes=65_536, timeout_seconds=10)

# Each answer holds the canary of whoever asked; the last statement fails and leaves its transaction broken.
_STATEMENTS = (
    "SELECT location, manager_id, store_id FROM stores",
    "SELECT email, phone FROM customers ORDER BY created_at DESC, email LIMIT 50",
    "SELECT max(stock_level), count(*) FROM inventory",
    "SELECT o.order_id, i.total_amount FROM orders AS o JOIN order_items AS i USING (order_id) ORDER BY 2 DESC LIMIT 9",
    "SELECT jsonb_agg(to_jsonb(c)) FROM (SELECT * FROM customers ORDER BY length(email), email LIMIT 3) AS c",
    "SELECT location, 1 / (stock_level - stock_level) FROM inventory JOIN stores USING (store_id)",
)


@dataclass(slots=True)
class Tally:
    """What came of the calls: answers, errors by kind, and everything that must never happen."""

    answers: int = 0
    errors: Counter[str] = field(default_factory=Counter[str])
    violations: list[str] = field(default_factory=list[str])


async def _nothing(_number: int) -> None:
    return None


class Traffic:
    """`cache` is off unless it is given: every call reaches the database."""

    def __init__(self, transactions: TenantTransactions, evidence: Evidence, cache: ResultCache | None = None) -> None:
        self._queries = SalesQueries(
            QueryRunner(transactions, _LIMITS),
            CallsInFlight(_CALLERS // len(STORES)),
            QueryMonitor(),
            TenantAnswers(cache or ResultCache(0, 0)),
        )
        self._evidence = evidence
        self.tally = Tally()

    async def run(self, calls: int, after_each: Callable[[int], Awaitable[None]] = _nothing) -> Tally:
        """So many calls, the tenants by turns; `after_each` is awaited with each call's number."""
        numbers = iter(range(calls))

        async def caller(store: SampleStore, numbers: Iterator[int]) -> None:
            for number in numbers:
                await self.call(store, number)
                await after_each(number)

        await asyncio.gather(*(caller(store, numbers) for store in itertools.islice(itertools.cycle(STORES), _CALLERS)))
        return self.tally

    async def call(self, store: SampleStore, number: int) -> None:
        """One call of one tenant. Of fifty, one has little time to be answered, and one is soon given up."""
        statement = _STATEMENTS[number % len(_STATEMENTS)]
        scope = TenantScope(frozenset({store.store_id}), f"{STORES.index(store):064x}")
        in_haste, given_up, patience = number % 50 == 7, number % 50 == 23, number % 16 * 0.003
        try:
            async with asyncio.timeout(patience if given_up else None):
                deadline = time.monotonic() + (patience if in_haste else 20)
                result = await self._queries.run(statement, scope, deadline=deadline)
        except TimeoutError:
            self.tally.errors["given up"] += 1
            return
        except MCPError as problem:
            self.tally.errors[type(problem).__name__] += 1
            learned = str((problem.as_dict(), problem.__cause__))
            if self._evidence.owners(learned):
                self.tally.violations.append(f"{store.slug} learned from an error: {learned}")
            if isinstance(problem, QueryTimeoutError) and not in_haste:
                self.tally.violations.append(f"{store.slug} was cancelled by somebody else")
            return
        self.tally.answers += 1
        owners = self._evidence.owners(str(result))
        if owners != frozenset({store.slug}):
            self.tally.violations.append(f"{store.slug} got rows of {sorted(owners)} from {statement}")
