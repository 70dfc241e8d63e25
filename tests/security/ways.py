"""The ways on which a statement can reach a database: through all walls, or with some of them left out on purpose."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from tests.security.simple_protocol import MAX_ROWS, simple_query
from zava.data import tenant_transaction
from zava.data.isolation_proof import IsolationProof
from zava.data.pools import Pools
from zava.data.query_runner import QueryLimits, QueryResult, QueryRunner
from zava.data.tenant_context import ContextSigner, SigningKey, TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.errors import MCPError
from zava.platform.query_monitor import QueryMonitor
from zava.platform.result_cache import ResultCache
from zava.services.calls_in_flight import CallsInFlight
from zava.services.sales_query import SalesQueries
from zava.services.tenant_answers import TenantAnswers

STATEMENT_SECONDS = 0.15
_CALL_SECONDS = 1.0
NO_CACHE = TenantAnswers(ResultCache(0, 0))
LIMITS = QueryLimits(max_rows=MAX_ROWS, max_bytes=262_144, timeout_seconds=STATEMENT_SECONDS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a caller could learn: columns, rows, the complete error (of Zava and of PostgreSQL), messages."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()
    error: str = ""
    messages: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Everything as one text, bytes in hex."""
        cells = (cell.hex() if isinstance(cell, bytes) else str(cell) for row in self.rows for cell in row)
        return "\n".join((*self.columns, *cells, self.error, *self.messages))

    @property
    def in_time(self) -> bool:
        """Whether an answer or an error came before a limit of time, and the session lived on."""
        return not any(sign in self.error for sign in ("Timeout", "57014", "broke", "Connection"))

    def without(self, *names: str) -> Outcome:
        """The same where databases' own names are not told, so that answers of two databases can be compared."""

        def hide(value: object) -> object:
            for name in names:
                value = value.replace(name, "?") if isinstance(value, str) else value
            return value

        return Outcome(
            self.columns, tuple(tuple(map(hide, row)) for row in self.rows), str(hide(self.error)), self.messages
        )


class Way(Protocol):
    """Runs a statement and catches whatever comes of it."""

    async def run(self, sql: str) -> Outcome: ...


class TrustingProof(IsolationProof):
    """Lets everything through: for databases that are broken on purpose."""

    async def ensure(self) -> None:
        return None


class ReadWriteTransactions(TenantTransactions):
    """As the app's, without READ ONLY; the role's default is overridden as hostile SQL would do it."""

    @asynccontextmanager
    async def open(
        self, scope: TenantScope, *, timeout_seconds: float, deadline: float
    ) -> AsyncGenerator[PoolConnectionProxy]:
        async with self._pools.reader.connection() as connection:
            await connection.execute(tenant_transaction._BEGIN.replace("READ ONLY", "READ WRITE"))
            try:
                await self._begin(connection, scope, timeout_seconds)
                yield connection
                await connection.execute("COMMIT")
            except Exception:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
                raise


class ForgedTransactions(TenantTransactions):
    """As the app's, with a context from elsewhere, and without the app's look at what the database verified."""

    def __init__(self, pools: Pools, proof: IsolationProof, context: Callable[[TenantScope], str]) -> None:
        super().__init__(pools, ContextSigner(SigningKey.generate("unused")), proof)
        self._context = context

    async def _begin(self, connection: PoolConnectionProxy, scope: TenantScope, statement_seconds: float) -> None:
        limit = f"{int(statement_seconds * 1000)}ms"
        await connection.fetchval(tenant_transaction._OPEN, self._context(scope), limit)


class AllWalls:
    """As the tool does it."""

    def __init__(self, transactions: TenantTransactions, scope: TenantScope, limits: QueryLimits = LIMITS) -> None:
        self._queries = SalesQueries(QueryRunner(transactions, limits), CallsInFlight(3), QueryMonitor(), NO_CACHE)
        self._scope = scope

    async def run(self, sql: str) -> Outcome:
        return await _caught(lambda: self._queries.run(sql, self._scope, deadline=time.monotonic() + _CALL_SECONDS))


class PolicyOff:
    """The query runner's wrapping and everything below, but no look at the SQL."""

    def __init__(self, transactions: TenantTransactions, scope: TenantScope, limits: QueryLimits = LIMITS) -> None:
        self._runner = QueryRunner(transactions, limits)
        self._scope = scope

    async def run(self, sql: str) -> Outcome:
        return await _caught(lambda: self._runner.run(sql, self._scope, deadline=time.monotonic() + _CALL_SECONDS))


class Unwrapped:
    """The bare statement inside the tenant's transaction, by the extended protocol, as asyncpg sends it."""

    def __init__(self, transactions: TenantTransactions, scope: TenantScope) -> None:
        self._transactions = transactions
        self._scope = scope

    async def run(self, sql: str) -> Outcome:
        messages: list[str] = []

        async def work(connection: PoolConnectionProxy) -> Outcome:
            def listen(_connection: object, message: asyncpg.PostgresLogMessage) -> None:
                messages.append(str(message.as_dict()))

            connection.add_log_listener(listen)
            try:
                statement = await connection.prepare(sql)
                columns = tuple(attribute.name for attribute in statement.get_attributes())
                rows: list[tuple[object, ...]] = []
                if columns:
                    async for record in statement.cursor(prefetch=100):
                        rows.append(tuple(record.values()))
                        if len(rows) == MAX_ROWS:
                            break
                else:
                    await statement.fetch()
                return Outcome(columns, tuple(rows))
            finally:
                connection.remove_log_listener(listen)

        outcome = await _caught(lambda: _inside(self._transactions, self._scope, work))
        return Outcome(outcome.columns, outcome.rows, outcome.error, tuple(messages))


class SimpleProtocol:
    """The bare text inside the tenant's transaction, where a semicolon starts the next statement."""

    def __init__(self, transactions: TenantTransactions, scope: TenantScope) -> None:
        self._transactions = transactions
        self._scope = scope

    async def run(self, sql: str) -> Outcome:
        async def work(connection: PoolConnectionProxy) -> Outcome:
            answer = await simple_query(connection, sql)
            return Outcome(tuple(answer.columns), tuple(answer.rows), answer.error, tuple(answer.messages))

        return await _caught(lambda: _inside(self._transactions, self._scope, work))


async def _inside(
    transactions: TenantTransactions, scope: TenantScope, work: Callable[[PoolConnectionProxy], Awaitable[Outcome]]
) -> Outcome:
    deadline = time.monotonic() + _CALL_SECONDS
    async with (
        asyncio.timeout(_CALL_SECONDS),
        transactions.open(scope, timeout_seconds=STATEMENT_SECONDS, deadline=deadline) as connection,
    ):
        return await work(connection)


# What comes up where `TenantTransactions.open` translates nothing; ValueError: text that UTF-8 cannot hold.
_BELOW = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError, ValueError)


async def _caught(work: Callable[[], Awaitable[Outcome | QueryResult]]) -> Outcome:
    try:
        result = await work()
    except MCPError as problem:
        return Outcome(error=f"{type(problem).__name__} {problem.as_dict()} {_of_postgresql(problem.__cause__)}")
    except _BELOW as problem:
        return Outcome(error=f"{type(problem).__name__} {_of_postgresql(problem)}")
    if isinstance(result, QueryResult):
        return Outcome(result.columns, result.rows, messages=(f"{result.truncated} {result.notice}",))
    return result


def _of_postgresql(problem: BaseException | None) -> str:
    return str(problem.as_dict()) if isinstance(problem, asyncpg.PostgresError) else str(problem or "")
