"""The shared rate limit: exact under concurrency, bounded in size, and never what a call waits for."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from tests.conftest import Database
from zava.data import call_rates
from zava.data.call_rates import SharedCallRates
from zava.data.pools import Pools
from zava.errors import DatabaseUnavailableError

ADA, EVE = "a" * 64, "e" * 64


async def test_under_concurrency_exactly_the_burst_passes_and_each_caller_has_their_own(
    fresh_database: Database,
) -> None:
    pools = Pools(fresh_database.settings)
    rates = SharedCallRates(pools)
    try:
        waits = await asyncio.gather(*(rates.take(ADA, 600, 10) for _ in range(40)))
        other = await rates.take(EVE, 600, 10)
    finally:
        await pools.close()
    assert sorted(wait == 0 for wait in waits) == [False] * 30 + [True] * 10
    assert all(590 < wait <= 600 for wait in waits if wait)
    assert other == 0


async def test_the_allowance_comes_back_with_time(fresh_database: Database) -> None:
    pools = Pools(fresh_database.settings)
    rates = SharedCallRates(pools)
    superuser = await fresh_database.superuser()
    try:
        assert [await rates.take(ADA, 60, 2) == 0 for _ in range(3)] == [True, True, False]
        await superuser.execute("UPDATE zava.call_rates SET free_at = free_at - 61")
        assert [await rates.take(ADA, 60, 2) == 0 for _ in range(2)] == [True, False]
        await superuser.execute("UPDATE zava.call_rates SET free_at = free_at - 10000")
        assert [await rates.take(ADA, 60, 2) == 0 for _ in range(3)] == [True, True, False]
    finally:
        await superuser.close()
        await pools.close()


async def test_callers_whose_allowance_is_full_are_forgotten(fresh_database: Database) -> None:
    superuser = await fresh_database.superuser()
    pools = Pools(fresh_database.settings)
    try:
        await superuser.execute(
            """INSERT INTO zava.call_rates
               SELECT lpad(n::text, 64, '0'), extract(epoch FROM now()) - 1 FROM generate_series(1, 1500) AS n"""
        )
        assert await SharedCallRates(pools).take(ADA, 600, 10) == 0
        async with pools.app.connection() as connection:
            for _ in range(2):
                await connection.execute("SELECT zava.forget_idle_callers()")
        assert await superuser.fetchval("SELECT array_agg(caller) FROM zava.call_rates") == [ADA]
    finally:
        await superuser.close()
        await pools.close()


async def test_many_calls_prune_by_themselves(fresh_database: Database) -> None:
    superuser = await fresh_database.superuser()
    try:
        await superuser.execute(
            "SELECT count(zava.take_call(lpad(n::text, 64, '0'), 1e-9, 1)) FROM generate_series(1, 20000) AS n"
        )
        assert await superuser.fetchval("SELECT count(*) < 15000 FROM zava.call_rates")
    finally:
        await superuser.close()


async def test_a_row_that_somebody_holds_delays_nobody_beyond_the_deadline(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_rates, "DEADLINE_SECONDS", 0.3)
    pools = Pools(fresh_database.settings)
    rates = SharedCallRates(pools)
    superuser = await fresh_database.superuser()
    try:
        assert await rates.take(ADA, 60, 100) == 0
        async with superuser.transaction():
            await superuser.execute("SELECT FROM zava.call_rates FOR UPDATE")
            started = time.monotonic()
            # More than the pool has connections, so some wait for one of those.
            answers = await asyncio.gather(*(rates.take(ADA, 60, 100) for _ in range(6)), return_exceptions=True)
            took = time.monotonic() - started
        assert all(isinstance(answer, DatabaseUnavailableError) for answer in answers)
        assert took < 2
        assert await rates.take(ADA, 60, 100) == 0
    finally:
        await superuser.close()
        await pools.close()


async def test_a_server_that_says_nothing_any_more_delays_nobody_beyond_the_deadline(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_rates, "DEADLINE_SECONDS", 0.3)
    pools = Pools(fresh_database.settings)
    rates = SharedCallRates(pools)
    superuser = await fresh_database.superuser()
    backends: list[int] = []
    try:
        await asyncio.gather(*(rates.take(ADA, 60, 100) for _ in range(2)))
        rows = await superuser.fetch(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'zava_app' AND datname = $1", fresh_database.name
        )
        backends += [row["pid"] for row in rows]
        for backend in backends:
            os.kill(backend, signal.SIGSTOP)
        started = time.monotonic()
        answers = await asyncio.gather(*(rates.take(ADA, 60, 100) for _ in range(4)), return_exceptions=True)
        took = time.monotonic() - started
    finally:
        for backend in backends:
            os.kill(backend, signal.SIGCONT)
        await superuser.close()
    assert all(isinstance(answer, DatabaseUnavailableError) for answer in answers)
    assert took < 1
    await pools.close()


async def test_the_reader_login_cannot_reach_it(fresh_database: Database) -> None:
    superuser = await fresh_database.superuser()
    try:
        assert not await superuser.fetchval("SELECT has_schema_privilege('zava_reader', 'zava', 'USAGE')")
        assert not await superuser.fetchval(
            """SELECT bool_or(has_function_privilege('zava_reader', oid, 'EXECUTE'))
               FROM pg_proc WHERE pronamespace = 'zava'::regnamespace"""
        )
    finally:
        await superuser.close()
