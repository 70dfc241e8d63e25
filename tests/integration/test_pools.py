"""The pools: one per login and worker, opened by the first call, whatever comes at once."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import Database
from zava.data.pools import LazyPool, PoolConfiguration, Pools
from zava.errors import DatabaseUnavailableError
from zava.local.environment import settings_of
from zava.platform.database_login import DatabaseLogins


def _pool(database: Database, **changes: object) -> LazyPool:
    server = database.cluster.server
    values: dict[str, object] = {
        "name": "reader",
        "host": server.host,
        "port": server.port,
        "database": database.name,
        "user": "zava_reader",
        "password": DatabaseLogins.of(database.settings).reader,
        "sslmode": "disable",
        "max_size": 3,
    }
    return LazyPool(PoolConfiguration(**(values | changes)))  # type: ignore[arg-type]


async def test_twenty_first_calls_open_one_pool(database: Database) -> None:
    pool = _pool(database)

    async def ask() -> int:
        async with pool.connection() as connection:
            return await connection.fetchval("SELECT 1")

    try:
        assert await asyncio.gather(*(ask() for _ in range(20))) == [1] * 20
        assert pool.times_opened == 1
    finally:
        await pool.close()


def test_a_pool_is_opened_again_on_another_event_loop(database: Database) -> None:
    pool = _pool(database)

    async def ask() -> int:
        async with pool.connection() as connection:
            value = await connection.fetchval("SELECT 1")
        await pool.close()
        return value

    assert [asyncio.run(ask()), asyncio.run(ask())] == [1, 1]
    assert pool.times_opened == 2


async def test_a_database_that_is_away_is_a_retryable_error_and_mends_itself(
    database: Database, unused_port: int
) -> None:
    pool = _pool(database, port=unused_port)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailableError) as caught:
            async with pool.connection():
                raise AssertionError("there is no database there")
        assert caught.value.retryable
    await pool.close()


async def test_a_wrong_password_is_not_told_to_callers(database: Database) -> None:
    wrong = settings_of(database.environment | {"POSTGRES_PASSWORD": "wrong-one"})
    pool = _pool(database, password=DatabaseLogins.of(wrong).reader)
    with pytest.raises(DatabaseUnavailableError) as caught:
        async with pool.connection():
            raise AssertionError("that password must not open the door")
    assert "wrong-one" not in str(caught.value.as_dict())
    await pool.close()


async def test_a_caller_that_gives_up_while_the_pool_opens_leaves_it_to_the_others(database: Database) -> None:
    pool = _pool(database)

    async def ask() -> int:
        async with pool.connection() as connection:
            return await connection.fetchval("SELECT 1")

    impatient = asyncio.ensure_future(ask())
    patient = asyncio.ensure_future(ask())
    await asyncio.sleep(0)
    impatient.cancel()
    try:
        assert await patient == 1
        assert pool.times_opened == 1
    finally:
        await pool.close()


def test_two_apps_with_the_same_settings_share_their_pools(database: Database) -> None:
    first, second = Pools(database.settings), Pools(database.settings)
    assert (first.reader, first.app) == (second.reader, second.app)
    assert first.reader is not first.app


def test_a_pool_configuration_never_shows_its_password(database: Database) -> None:
    assert database.cluster.secrets.reader_password not in repr(_pool(database)._configuration)
