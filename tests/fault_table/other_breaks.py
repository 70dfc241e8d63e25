"""Breaks of the services around a worker, of clocks, of clients and of its event loop; each mends what it broke."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tests.azure_standins.openai_service import throttled
from tests.fault_table.data_breaks import Break, repeatedly
from tests.fault_table.load import Load
from tests.fault_table.questions import Caller, Question, sql
from tests.fault_table.stage import Stage
from zava.platform.secret_names import SecretName


@asynccontextmanager
async def vault_fails(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.vault.status = 503
    yield
    stage.vault.status = None


@asynccontextmanager
async def vault_hangs(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.vault.hangs = True
    yield
    stage.vault.hangs = False


@asynccontextmanager
async def identity_fails(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.vault.identity.status = 500
    yield
    stage.vault.identity.status = 200


async def _set_password(stage: Stage, password: str) -> None:
    literal = await stage.superuser.fetchval("SELECT quote_literal($1)", password)
    await stage.superuser.execute(f"ALTER ROLE zava_reader PASSWORD {literal}")
    await stage.end_sessions("zava_reader")


@asynccontextmanager
async def password_rotated(stage: Stage, _: Load) -> AsyncGenerator[None]:
    before = stage.vault.secrets[SecretName.POSTGRES_PASSWORD]
    stage.vault.secrets[SecretName.POSTGRES_PASSWORD] = f"{before}-rotated"
    await _set_password(stage, f"{before}-rotated")
    stage.pooler.take_password("zava_reader", f"{before}-rotated")
    yield


@asynccontextmanager
async def password_changed_before_the_vault(stage: Stage, _: Load) -> AsyncGenerator[None]:
    after = f"{stage.vault.secrets[SecretName.POSTGRES_PASSWORD]}-early"
    await _set_password(stage, after)
    stage.pooler.take_password("zava_reader", after)
    yield
    stage.vault.secrets[SecretName.POSTGRES_PASSWORD] = after


@asynccontextmanager
async def password_refused(stage: Stage, _: Load) -> AsyncGenerator[None]:
    await _set_password(stage, "nobody-knows-this-one")
    yield
    await _set_password(stage, stage.vault.secrets[SecretName.POSTGRES_PASSWORD])


@asynccontextmanager
async def embedder_hangs(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.openai.faults.always = "hang"
    yield
    stage.openai.faults.always = None


@asynccontextmanager
async def embedder_throttles(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.openai.faults.always = throttled(retry_after="3600")
    yield
    stage.openai.faults.always = None


@asynccontextmanager
async def issuer_away(stage: Stage, _: Load) -> AsyncGenerator[None]:
    stage.issuer.status = 503
    yield
    stage.issuer.status = 200


def clock(seconds: float) -> Break:
    @asynccontextmanager
    async def shifted(stage: Stage, _: Load) -> AsyncGenerator[None]:
        stage.worker.tell("set the clock ahead", seconds)
        yield
        stage.worker.tell("set the clock ahead", 0)

    return shifted


@asynccontextmanager
async def collector_away(stage: Stage, _: Load) -> AsyncGenerator[None]:
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
async def clients_disconnect(stage: Stage, _: Load) -> AsyncGenerator[None]:
    number = 0

    async def disconnect() -> None:
        nonlocal number
        number += 1
        writer = await _send_raw(stage, stage.callers[number % len(stage.callers)], number)
        await asyncio.sleep(number % 5 * 0.004)
        writer.transport.abort()

    async with repeatedly(disconnect, 0.01):
        yield


@asynccontextmanager
async def clients_send_slowly(stage: Stage, _: Load) -> AsyncGenerator[None]:
    sending = [asyncio.ensure_future(_send_raw(stage, caller, 0, by_bytes=8)) for caller in stage.callers for _ in "ab"]
    yield
    for writer in await asyncio.gather(*sending):
        writer.transport.abort()


@asynccontextmanager
async def client_repeats(stage: Stage, load: Load) -> AsyncGenerator[None]:
    load.asked_as_well = Question(sql("SELECT location, manager_id FROM stores -- again and again"), telling=True)
    yield
    load.asked_as_well = None


@asynccontextmanager
async def loop_changed(stage: Stage, _: Load) -> AsyncGenerator[None]:
    port = await asyncio.to_thread(stage.worker.tell, "change the event loop")
    assert port == stage.worker.port
    yield
