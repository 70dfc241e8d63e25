"""Eight tenants take turns on four connections, thousands of times, and each sees its own rows and nobody else's."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable

import pytest

from tests.conftest import Database
from tests.security.planted import Planted, opened
from tests.security.traffic import Tally, Traffic

_CALLS = 2_000
_POOL = 4
Route = Callable[[Database], Database]

_SESSIONS = """
SELECT count(*), count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity
WHERE usename = 'zava_reader' AND datname = current_database()
"""


def _on_four_connections(database: Database) -> Database:
    return dataclasses.replace(database, environment=database.environment | {"POSTGRES_READER_POOL_MAX": str(_POOL)})


async def _settled(parts: Planted, most: int) -> bool:
    """Whether the reader's sessions come down to at most `most`, all idle, within some seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        sessions, busy = await parts.superuser.fetchrow(_SESSIONS) or (0, 0)
        if sessions <= most and busy == 0:
            return True
    return False


async def test_two_thousand_interleaved_calls_never_mix(planted: Planted, route: Route) -> None:
    await planted.pools.close()
    await planted.end_sessions_of_tenants()  # those that the pooler keeps from other tests
    async with opened(_on_four_connections(route(planted.database))) as parts:
        tally = await Traffic(parts.transactions, parts.evidence).run(_CALLS)
        assert tally.violations == []
        assert set(tally.errors) <= {"QueryError", "QueryTimeoutError", "given up"}
        assert tally.answers > _CALLS * 0.75
        assert await _settled(parts, _POOL)
    assert await _settled(planted, 0 if parts.database == planted.database else _POOL)


async def test_connections_that_are_killed_all_the_time_cost_hardly_an_answer_and_show_no_foreign_row(
    planted: Planted, route: Route, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "zava.platform.retry")
    await planted.pools.close()
    killed = 0

    async def kill(number: int) -> None:
        nonlocal killed
        if number % 100 == 0:
            killed += await planted.end_sessions_of_tenants()

    async with opened(_on_four_connections(route(planted.database))) as parts:
        traffic = Traffic(parts.transactions, parts.evidence)
        tally = await traffic.run(_CALLS, kill)
        assert tally.violations == []
        assert set(tally.errors) <= {"QueryError", "QueryTimeoutError", "DatabaseUnavailableError", "given up"}
        assert killed > 40
        repeated = sum("the next one follows" in record.getMessage() for record in caplog.records)
        assert repeated > 0, "no call ran into a connection that was killed"
        assert tally.errors["DatabaseUnavailableError"] < killed / 10  # a call may meet three in a row
        assert tally.answers > _CALLS * 0.75

        traffic.tally = Tally()
        tally = await traffic.run(200)
        assert (tally.violations, tally.errors["DatabaseUnavailableError"]) == ([], 0), "the pool does not recover"
        assert await _settled(parts, _POOL)
    assert await _settled(planted, 0 if parts.database == planted.database else _POOL)
