"""Breaks of what holds data: PostgreSQL, PgBouncer, Redis. Each mends in the end what it broke."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg
from redis.asyncio import Redis

from tests.conftest import find_unused_port
from tests.fault_table.load import Load
from tests.fault_table.questions import Question, sql
from tests.fault_table.stage import MAX_CONNECTIONS, Stage

Break = Callable[[Stage, Load], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def restarted(stage: Stage, _: Load) -> AsyncGenerator[None]:
    await asyncio.to_thread(stage.postmaster.stop)
    yield
    stage.postmaster.start()
    await stage.reopen_superuser()


@asynccontextmanager
async def killed(stage: Stage, _: Load) -> AsyncGenerator[None]:
    await asyncio.to_thread(stage.postmaster.kill)
    yield
    stage.postmaster.start()
    await stage.reopen_superuser()


@asynccontextmanager
async def frozen(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.postmaster.signal(signal.SIGSTOP)
    yield
    stage.postmaster.signal(signal.SIGCONT)


@asynccontextmanager
async def cut(stage: Stage, _: Load) -> AsyncGenerator[None]:
    cut = 0

    async def end_sessions() -> None:
        nonlocal cut
        cut += await stage.end_sessions()

    async with repeatedly(end_sessions, 0.1):
        yield
    assert cut > 20


@asynccontextmanager
async def no_connection_free(stage: Stage, _: Load) -> AsyncGenerator[None]:
    held: list[asyncpg.Connection] = []
    try:
        full = 0
        while full < 3:  # whatever the worker gives back or loses is taken as well
            await stage.end_sessions()
            try:
                while len(held) < MAX_CONNECTIONS:
                    held.append(await stage.database.administrator.open())
            except asyncpg.TooManyConnectionsError:
                full += 1
        yield
    finally:
        for connection in held:
            await connection.close()


@asynccontextmanager
async def no_room_for_temporary_files(stage: Stage, load: Load) -> AsyncGenerator[None]:
    load.asked_as_well = Question(sql("SELECT array_agg(order_id ORDER BY total_amount) FROM orders"))
    async with _limits(stage, "work_mem = '64kB'", "temp_file_limit = '64kB'"):
        yield
    load.asked_as_well = None


@asynccontextmanager
async def _limits(stage: Stage, *settings: str) -> AsyncGenerator[None]:
    """Of the reader's new sessions; those it has are ended."""
    for setting in settings:
        await stage.superuser.execute(f"ALTER ROLE zava_reader IN DATABASE {stage.database.name} SET {setting}")
    await stage.end_sessions()
    yield
    for setting in settings:
        await stage.superuser.execute(
            f"ALTER ROLE zava_reader IN DATABASE {stage.database.name} RESET {setting.partition(' ')[0]}"
        )


@asynccontextmanager
async def failed_over(stage: Stage, _: Load) -> AsyncGenerator[None]:
    other = find_unused_port()
    await asyncio.to_thread(stage.postmaster.stop)
    stage.postmaster.start(other)
    stage.pooler.lead_to(other)
    yield
    await asyncio.to_thread(stage.postmaster.stop)
    stage.postmaster.start()
    stage.pooler.lead_to(stage.postmaster.port)
    await stage.reopen_superuser()


@asynccontextmanager
async def pooler_restarted(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.pooler.stop()
    yield
    stage.pooler.start()


@asynccontextmanager
async def redis_killed(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.redis.kill()
    yield
    stage.redis.start()


@asynccontextmanager
async def redis_slow(stage: Stage, _: Load) -> AsyncGenerator[None]:
    """It answers four times as late as the app waits for it."""
    async with stage.redis.client() as redis:

        async def pause() -> None:
            await redis.execute_command("CLIENT", "PAUSE", "400", "ALL")

        async with repeatedly(pause, 0.1):
            yield


def redis_damaged(damage: Callable[[Redis, list[bytes]], Awaitable[object]]) -> Break:
    @asynccontextmanager
    async def damaged(stage: Stage, _: Load) -> AsyncGenerator[None]:
        keys = 0
        async with stage.redis.client() as redis:

            async def spoil() -> None:
                nonlocal keys
                found = [key async for key in redis.scan_iter("zava:answer:*")]
                keys += len(found)
                await damage(redis, found)

            async with repeatedly(spoil, 0.02):
                yield
        assert keys > 20

    return damaged


async def wrong_type(redis: Redis, keys: list[bytes]) -> None:
    for key in keys:
        await redis.delete(key)
        await redis.lpush(key, "a list")


async def swapped(redis: Redis, keys: list[bytes]) -> None:
    """Everybody's answers under everybody else's keys."""
    values = [await redis.get(key) or b"" for key in keys]
    for key, value in zip(keys, [*values[1:], *values[:1]], strict=True):
        await redis.set(key, value)


@asynccontextmanager
async def repeatedly(work: Callable[[], Awaitable[object]], pause: float) -> AsyncGenerator[None]:
    ended = asyncio.Event()

    async def repeat() -> None:
        while not ended.is_set():
            await work()
            await asyncio.sleep(pause)

    repeating = asyncio.ensure_future(repeat())
    try:
        yield
    finally:
        ended.set()
        await repeating
