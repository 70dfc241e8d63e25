"""The table: what is broken and mended, and what callers may get meanwhile beside good answers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import asyncpg
from redis.asyncio import Redis

from tests.azure_standins.openai_service import throttled
from tests.fault_table.load import BY_WORDS, Caller, Load, Question, sql
from tests.fault_table.stage import MAX_CONNECTIONS, Stage
from zava.platform.secret_names import SecretName

Break = Callable[[Stage, Load], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Attributes:
    breaks: breaks something, and mends it in the end.
    allowed: codes that callers may get, beside good answers.
    shows: one of these was got, or the fault has shown nothing.
    seconds: how long it stays broken.
    worker: the one that is called; `new` is one that is started when the fault is there already.
    """

    breaks: Break
    allowed: frozenset[str] = frozenset()
    shows: frozenset[str] = frozenset()
    seconds: float = 1.5
    worker: Literal["direct", "pooled", "new"] = "direct"


@asynccontextmanager
async def _restarted(stage: Stage, _: Load) -> AsyncGenerator[None]:
    await asyncio.to_thread(stage.postmaster.stop)
    yield
    stage.postmaster.start()
    await stage.reopen_superuser()


@asynccontextmanager
async def _killed(stage: Stage, _: Load) -> AsyncGenerator[None]:
    await asyncio.to_thread(stage.postmaster.kill)
    yield
    stage.postmaster.start()
    await stage.reopen_superuser()


@asynccontextmanager
async def _frozen(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.postmaster.signal(signal.SIGSTOP)
    yield
    stage.postmaster.signal(signal.SIGCONT)


@asynccontextmanager
async def _repeatedly(work: Callable[[], Awaitable[object]], pause: float) -> AsyncGenerator[None]:
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


@asynccontextmanager
async def _cut(stage: Stage, _: Load) -> AsyncGenerator[None]:
    cut = 0

    async def end_sessions() -> None:
        nonlocal cut
        cut += await stage.end_sessions()

    async with _repeatedly(end_sessions, 0.1):
        yield
    assert cut > 20


@asynccontextmanager
async def _no_connection_free(stage: Stage, _: Load) -> AsyncGenerator[None]:
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
async def _no_room_for_temporary_files(stage: Stage, load: Load) -> AsyncGenerator[None]:
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
async def _failed_over(stage: Stage, _: Load) -> AsyncGenerator[None]:
    other = stage.postmaster.another_port()
    await asyncio.to_thread(stage.postmaster.stop)
    stage.postmaster.start(other)
    stage.pooler.lead_to(other)
    yield
    await asyncio.to_thread(stage.postmaster.stop)
    stage.postmaster.start()
    stage.pooler.lead_to(stage.postmaster.port)
    await stage.reopen_superuser()


@asynccontextmanager
async def _pooler_restarted(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.pooler.stop()
    yield
    stage.pooler.start()


@asynccontextmanager
async def _redis_killed(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.redis.kill()
    yield
    stage.redis.start()


@asynccontextmanager
async def _redis_slow(stage: Stage, _: Load) -> AsyncGenerator[None]:
    """It answers four times as late as the app waits for it."""
    async with stage.redis.client() as redis:

        async def pause() -> None:
            await redis.execute_command("CLIENT", "PAUSE", "400", "ALL")

        async with _repeatedly(pause, 0.1):
            yield


def _redis_damaged(damage: Callable[[Redis, list[bytes]], Awaitable[object]]) -> Break:
    @asynccontextmanager
    async def damaged(stage: Stage, _: Load) -> AsyncGenerator[None]:
        keys = 0
        async with stage.redis.client() as redis:

            async def spoil() -> None:
                nonlocal keys
                found = [key async for key in redis.scan_iter("zava:answer:*")]
                keys += len(found)
                await damage(redis, found)

            async with _repeatedly(spoil, 0.02):
                yield
        assert keys > 20

    return damaged


async def _wrong_type(redis: Redis, keys: list[bytes]) -> None:
    for key in keys:
        await redis.delete(key)
        await redis.lpush(key, "a list")


async def _swapped(redis: Redis, keys: list[bytes]) -> None:
    """Everybody's answers under everybody else's keys."""
    values = [await redis.get(key) or b"" for key in keys]
    for key, value in zip(keys, [*values[1:], *values[:1]], strict=True):
        await redis.set(key, value)


@asynccontextmanager
async def _vault_fails(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.vault.status = 503
    yield
    stage.vault.status = None


@asynccontextmanager
async def _vault_hangs(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.vault.hangs = True
    yield
    stage.vault.hangs = False


async def _set_password(stage: Stage, password: str) -> None:
    literal = await stage.superuser.fetchval("SELECT quote_literal($1)", password)
    await stage.superuser.execute(f"ALTER ROLE zava_reader PASSWORD {literal}")
    await stage.end_sessions("zava_reader")


@asynccontextmanager
async def _password_rotated(stage: Stage, _: Load) -> AsyncGenerator[None]:
    before = stage.vault.secrets[SecretName.POSTGRES_PASSWORD]
    stage.vault.secrets[SecretName.POSTGRES_PASSWORD] = f"{before}-rotated"
    await _set_password(stage, f"{before}-rotated")
    yield


@asynccontextmanager
async def _password_refused(stage: Stage, _: Load) -> AsyncGenerator[None]:
    await _set_password(stage, "nobody-knows-this-one")
    yield
    await _set_password(stage, stage.vault.secrets[SecretName.POSTGRES_PASSWORD])


@asynccontextmanager
async def _embedder_hangs(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.openai.faults.always = "hang"
    yield
    stage.openai.faults.always = None


@asynccontextmanager
async def _embedder_throttles(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.openai.faults.always = throttled(retry_after="3600")
    yield
    stage.openai.faults.always = None


@asynccontextmanager
async def _issuer_away(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.issuer.status = 503
    yield
    stage.issuer.status = 200


def _clock(seconds: float) -> Break:
    @asynccontextmanager
    async def shifted(stage: Stage, _: Load) -> AsyncGenerator[None]:
        stage.worker.tell("set the clock ahead", seconds)
        yield
        stage.worker.tell("set the clock ahead", 0)

    return shifted


@asynccontextmanager
async def _collector_away(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.collector.status = 0
    before, asked = len(stage.collector.items), len(stage.collector.requests)
    yield
    assert len(stage.collector.requests) > asked
    assert len(stage.collector.items) == before
    stage.collector.status = 200


async def _send_raw(stage: Stage, caller: Caller, number: int, *, by_bytes: int = 0) -> asyncio.StreamWriter:
    request = caller.request(stage.worker.url, sql(f"SELECT max(total_amount) FROM orders -- raw {number}"))
    lines = [f"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(request.content)}\r\n"]
    lines += [
        f"{name}: {value}\r\n" for name, value in request.headers.items() if name not in ("host", "content-length")
    ]
    _, writer = await asyncio.open_connection("127.0.0.1", stage.worker.port)
    message = "".join(lines).encode() + b"\r\n" + request.content
    for start in range(0, len(message), by_bytes or len(message)):
        writer.write(message[start : start + (by_bytes or len(message))])
        await writer.drain()
        if by_bytes:
            await asyncio.sleep(0.02)
    return writer


@asynccontextmanager
async def _clients_disconnect(stage: Stage, _: Load) -> AsyncGenerator[None]:
    number = 0

    async def disconnect() -> None:
        nonlocal number
        number += 1
        writer = await _send_raw(stage, stage.callers[number % len(stage.callers)], number)
        await asyncio.sleep(number % 5 * 0.004)
        writer.transport.abort()

    async with _repeatedly(disconnect, 0.01):
        yield


@asynccontextmanager
async def _clients_send_slowly(stage: Stage, _: Load) -> AsyncGenerator[None]:
    sending = [asyncio.ensure_future(_send_raw(stage, caller, 0, by_bytes=8)) for caller in stage.callers for _ in "ab"]
    yield
    for writer in await asyncio.gather(*sending):
        writer.transport.abort()


@asynccontextmanager
async def _client_repeats(stage: Stage, load: Load) -> AsyncGenerator[None]:
    load.asked_as_well = Question(sql("SELECT location, manager_id FROM stores -- again and again"), telling=True)
    yield
    load.asked_as_well = None


_AWAY = frozenset({"DATABASE_UNAVAILABLE"})
_WORDS = frozenset({BY_WORDS})
_NOT_YET = frozenset({"SERVICE_UNAVAILABLE"})

FAULTS: dict[str, Fault] = {
    "PostgreSQL restarted": Fault(_restarted, _AWAY, _AWAY),
    "PostgreSQL killed (kill -9)": Fault(_killed, _AWAY, _AWAY),
    "PostgreSQL frozen for 10 s": Fault(_frozen, _AWAY | {"QUERY_TIMEOUT"}, seconds=10),
    "connections cut in the middle of queries": Fault(_cut, _AWAY, seconds=3),
    "no connection free in PostgreSQL": Fault(_no_connection_free, _AWAY, _AWAY),
    "no room for temporary files": Fault(_no_room_for_temporary_files, _AWAY, _AWAY),
    "failover to another server, behind PgBouncer": Fault(_failed_over, _AWAY, worker="pooled"),
    "PgBouncer restarted": Fault(_pooler_restarted, _AWAY, _AWAY, worker="pooled"),
    "answers in Redis under other callers' keys": Fault(_redis_damaged(_swapped)),
    "values of another type in Redis": Fault(_redis_damaged(_wrong_type)),
    "Redis slow": Fault(_redis_slow, seconds=2),
    "Redis killed": Fault(_redis_killed, worker="pooled"),
    "database password rotated": Fault(_password_rotated, _AWAY),
    "database password refused": Fault(_password_refused, _AWAY, _AWAY),
    "Key Vault fails, worker warm": Fault(_vault_fails),
    "Key Vault fails as a worker starts": Fault(_vault_fails, _NOT_YET, _NOT_YET, worker="new"),
    "Key Vault hangs as a worker starts": Fault(_vault_hangs, _NOT_YET, _NOT_YET, worker="new"),
    "embedder hangs": Fault(_embedder_hangs, shows=_WORDS, worker="new"),
    "embedder throttles": Fault(_embedder_throttles, shows=_WORDS, worker="new"),
    "issuer's keys away, worker warm": Fault(_issuer_away),
    "worker's clock ten minutes ahead": Fault(_clock(600), frozenset({"ISOLATION_FAILED"})),
    "worker's clock ten minutes behind": Fault(_clock(-600), frozenset({"ISOLATION_FAILED"})),
    "collector of telemetry away": Fault(_collector_away, seconds=3),
    "clients that disconnect": Fault(_clients_disconnect),
    "clients that send slowly": Fault(_clients_send_slowly),
    "a client that repeats one request": Fault(_client_repeats),
}
