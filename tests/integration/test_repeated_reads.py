"""Connections that a real PostgreSQL ends under the app: reads are repeated and answered, writes never are."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from tests.conftest import Database
from zava.data.call_rates import SharedCallRates
from zava.data.grants import StoredGrants
from zava.data.pools import LazyPool, Pools
from zava.data.query_runner import QueryLimits, QueryResult, QueryRunner
from zava.data.repeated_read import repeated_read
from zava.data.store_directory import StoreDirectory
from zava.data.tenant_context import TenantScope
from zava.errors import DatabaseUnavailableError, QueryTimeoutError

Scopes = Callable[..., TenantScope]
_LIMITS = QueryLimits(max_rows=10, max_bytes=10_000, timeout_seconds=5)
_STORE = QueryResult(("store_name",), (("Zava Retail Seattle",),), truncated=False, notice="")
_SLOW = "SELECT store_name FROM retail.stores, pg_sleep(0.3)"

_END = """
SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
WHERE usename = $1 AND datname = current_database() AND ($2 = '' OR state = 'active' AND query LIKE '%' || $2 || '%')
"""


class _Ender:
    """Ends sessions of a login, from outside the app."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def end(self, login: str, times: int = 1, running: str = "") -> int:
        """End the login's sessions, or those that run something like `running` as soon as there is one."""
        superuser = await self._database.superuser()
        try:
            ended = 0
            while ended < times:
                ended += int(await superuser.fetchval(_END, login, running) or 0)
                if not running:
                    break
            return ended
        finally:
            await superuser.close()

    def end_unnoticed(self, login: str) -> int:
        """End them while the app's event loop stands still, so that its pool takes them for alive."""
        ended: list[int] = []
        thread = threading.Thread(target=lambda: ended.append(asyncio.run(self.end(login))))
        thread.start()
        thread.join()
        return ended[0]


@pytest.fixture
def ender(fresh_database: Database) -> _Ender:
    return _Ender(fresh_database)


@pytest.fixture
async def pools(fresh_database: Database) -> AsyncIterator[Pools]:
    pools = Pools(fresh_database.settings)
    yield pools
    await pools.close()


@pytest.fixture
def run(fresh_database: Database, pools: Pools, scope: Scopes) -> Callable[..., asyncio.Future[QueryResult]]:
    runner = QueryRunner(fresh_database.transactions(pools), _LIMITS)

    def start(statement: str, seconds: float = 20) -> asyncio.Future[QueryResult]:
        return asyncio.ensure_future(runner.run(statement, scope("seattle"), deadline=time.monotonic() + seconds))

    return start


Run = Callable[..., asyncio.Future[QueryResult]]


async def test_a_query_whose_session_is_ended_twice_is_answered_by_the_third(ender: _Ender, run: Run) -> None:
    assert await run("SELECT store_name FROM retail.stores") == _STORE
    answer = run(_SLOW)
    assert await ender.end("zava_reader", times=2, running="pg_sleep") == 2
    assert await answer == _STORE


async def test_a_query_whose_session_is_ended_every_time_is_a_retryable_error(ender: _Ender, run: Run) -> None:
    answer = run(_SLOW)
    assert await ender.end("zava_reader", times=3, running="pg_sleep") == 3
    with pytest.raises(DatabaseUnavailableError) as caught:
        await answer
    assert caught.value.retryable


async def test_idle_connections_that_died_unnoticed_are_replaced(ender: _Ender, run: Run) -> None:
    first: Sequence[QueryResult] = await asyncio.gather(*(run(_SLOW) for _ in range(4)))
    assert first == [_STORE] * 4
    assert ender.end_unnoticed("zava_reader") == 4
    assert await asyncio.gather(*(run("SELECT store_name FROM retail.stores") for _ in range(8))) == [_STORE] * 8


async def test_no_attempt_begins_after_the_deadline(ender: _Ender, run: Run) -> None:
    began = time.monotonic()
    answer = run("SELECT store_name FROM retail.stores, pg_sleep(3)", seconds=1)
    assert await ender.end("zava_reader", running="pg_sleep") == 1
    with pytest.raises(QueryTimeoutError):
        await answer
    assert time.monotonic() - began < 2.5


async def test_zavas_own_reads_are_repeated(ender: _Ender, pools: Pools) -> None:
    stores = await StoreDirectory(pools).stores()
    assert len(stores) == 8
    assert ender.end_unnoticed("zava_app") > 0
    assert await StoreDirectory(pools).stores() == stores
    assert ender.end_unnoticed("zava_app") > 0
    assert await StoredGrants(pools).stores_of("an issuer", "nobody") == frozenset()


async def test_what_counts_a_call_is_never_repeated(
    ender: _Ender, pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = SharedCallRates(pools)
    assert await rates.take("ab" * 32, 1.0, 5) == 0.0
    assert ender.end_unnoticed("zava_app") > 0
    lent = 0
    connection = LazyPool.connection

    def counted(pool: LazyPool) -> object:
        nonlocal lent
        lent += 1
        return connection(pool)

    monkeypatch.setattr(LazyPool, "connection", counted)
    with pytest.raises(DatabaseUnavailableError):
        await rates.take("ab" * 32, 1.0, 5)
    assert lent == 1


async def test_a_serialization_failure_is_repeated(fresh_database: Database) -> None:
    one, two = await fresh_database.superuser(), await fresh_database.superuser()
    await one.execute("CREATE TABLE public.counter AS SELECT 0 AS value")
    attempts = 0

    async def work() -> int:
        nonlocal attempts
        attempts += 1
        async with one.transaction(isolation="repeatable_read"):
            value = int(await one.fetchval("SELECT value FROM public.counter") or 0)
            if attempts == 1:
                await two.execute("UPDATE public.counter SET value = 10")
            await one.execute("UPDATE public.counter SET value = $1", value + 1)
        return value + 1

    try:
        assert (await repeated_read(work), attempts) == (11, 2)
    finally:
        await one.close()
        await two.close()


async def test_a_database_that_is_away_is_left_alone_for_a_second(fresh_database: Database, unused_port: int) -> None:
    away = Pools(fresh_database.settings.model_copy(update={"postgres_port": unused_port}))
    for _ in range(5):
        with pytest.raises(DatabaseUnavailableError) as caught:
            async with away.reader.connection():
                raise AssertionError("there is no database there")
        assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    with pytest.raises(DatabaseUnavailableError) as caught:
        async with away.reader.connection():
            raise AssertionError("there is no database there")
    assert (str(caught.value.__cause__), caught.value.retryable) == (
        "the database is taken to be away for another 1 s",
        True,
    )
    assert away.reader._connecting._open_seconds == 1.0
    await away.close()
