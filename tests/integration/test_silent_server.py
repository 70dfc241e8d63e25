"""A server that vanishes from the network in the middle of a transaction keeps nobody waiting beyond the deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from tests.conftest import Database
from zava.data import isolation_proof
from zava.data.app_transaction import app_transaction
from zava.data.isolation_proof import IsolationProof
from zava.data.pools import Pools
from zava.data.tenant_context import ContextSigner, SigningKey, TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.errors import DatabaseUnavailableError, QueryTimeoutError
from zava.local.environment import settings_of
from zava.local.stores import STORES

# The deadlines below, a second for the rollback and two for giving the connection back, and as much again.
_TOO_LONG_SECONDS = 8.0


class Relay:
    """Passes bytes on in front of a server; while `silent`, it keeps connections open and passes nothing."""

    def __init__(self, port_behind: int) -> None:
        self._port_behind = port_behind
        self._speaking = asyncio.Event()
        self._speaking.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def fall_silent(self) -> None:
        self._speaking.clear()

    def speak_again(self) -> None:
        self._speaking.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[int]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._relay(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self._port_behind)
        try:
            await asyncio.gather(self._pipe(reader, behind_writer), self._pipe(behind_reader, writer))
        except OSError:
            pass
        finally:
            behind_writer.transport.abort()
            writer.transport.abort()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._speaking.wait()
            writer.write(data)
            await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def _relayed(database: Database) -> AsyncGenerator[tuple[Relay, Pools]]:
    relay = Relay(database.cluster.server.port)
    async with relay.running() as port:
        pools = Pools(settings_of(database.environment | {"POSTGRES_PORT": str(port)}))
        try:
            yield relay, pools
        finally:
            relay.speak_again()
            await pools.close()


async def test_a_cancelled_transaction_is_left_within_a_moment_and_its_place_is_free(database: Database) -> None:
    async with asyncio.timeout(_TOO_LONG_SECONDS), _relayed(database) as (relay, pools):

        async def ask() -> None:
            async with asyncio.timeout(0.3), app_transaction(pools) as connection:
                relay.fall_silent()
                await connection.fetchval("SELECT 1")

        with pytest.raises(TimeoutError):
            await ask()
        while pools.app.use.lent:  # given back in the background
            await asyncio.sleep(0.05)


async def test_a_tenants_call_ends_at_its_deadline_and_its_place_is_free(database: Database) -> None:
    signer = ContextSigner(SigningKey.parse(database.cluster.secrets.tenant_signing_key))
    scope = TenantScope(frozenset({STORES[0].store_id}), "0" * 64)
    async with asyncio.timeout(_TOO_LONG_SECONDS), _relayed(database) as (relay, pools):
        proof = IsolationProof(pools, signer)
        await proof.ensure()
        transactions = TenantTransactions(pools, signer, proof)

        async def ask() -> None:
            async with transactions.open(scope, timeout_seconds=1, deadline=time.monotonic() + 0.3) as connection:
                relay.fall_silent()
                await connection.fetchval("SELECT 1")

        with pytest.raises(QueryTimeoutError):
            await ask()
        while pools.reader.use.lent:
            await asyncio.sleep(0.05)


async def test_a_proof_that_hears_nothing_ends_and_the_next_one_is_made_anew(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation_proof, "_CHECK_SECONDS", 0.3)
    signer = ContextSigner(SigningKey.parse(database.cluster.secrets.tenant_signing_key))
    async with asyncio.timeout(_TOO_LONG_SECONDS), _relayed(database) as (relay, pools):
        proof = IsolationProof(pools, signer)
        assert await proof.run() == ()
        relay.fall_silent()
        with pytest.raises(DatabaseUnavailableError):
            await proof.run()
        relay.speak_again()
        monkeypatch.setattr(isolation_proof, "_CHECK_SECONDS", 10.0)
        assert await proof.run() == ()
