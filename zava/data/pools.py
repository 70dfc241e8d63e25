"""The connection pools: module-level, opened on first use, one per login, kept for the life of the worker.

Concurrent first calls share one task, so that a cold worker opens one pool. A pool belongs to the event loop and the
configuration it was opened with: when either changes, the old one is dropped and a new one is opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from pgvector.asyncpg import register_vector

from zava.data.tls import tls
from zava.errors import DatabaseUnavailableError
from zava.platform import telemetry
from zava.platform.breaker import CircuitBreaker, CircuitOpenError
from zava.platform.database_login import DatabaseLogins, Password
from zava.platform.settings import Settings

_log = logging.getLogger(__name__)

CONNECTION_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a lent connection may raise when the database ends it, is away (a timeout, too) or refuses a statement. The last
one comes when the server's farewell reaches an idle connection at the moment of its next use."""
_ACQUIRE_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
_APPLICATION_NAME = "zava-mcp-server"
_CONNECT_SECONDS = 5.0
_RELEASE_SECONDS = 2.0
_IDLE_SECONDS = 60.0
_LEFT_ALONE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PoolUse:
    """How many connections there may be, there are, and are lent."""

    most: int
    open: int
    lent: int


@dataclass(frozen=True, slots=True)
class PoolConfiguration:
    """Where one login connects to, and with how many connections at most."""

    name: Literal["reader", "app"]
    host: str
    port: int
    database: str
    user: str
    password: Password = field(repr=False)
    sslmode: str
    max_size: int


class LazyPool:
    """One login's pool. Holds no connection while idle (`min_size=0`), so a database that is down delays nothing."""

    def __init__(self, configuration: PoolConfiguration) -> None:
        self._configuration = configuration
        self._opening: asyncio.Task[asyncpg.Pool] | None = None
        self._releasing: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references
        self.times_opened = 0
        # After five connections in a row that could not be made, callers learn it at once for a second.
        self._connecting = CircuitBreaker("the database", _ACQUIRE_ERRORS, open_seconds=_LEFT_ALONE_SECONDS)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[PoolConnectionProxy]:
        """Lend one connection; wait for a free one as long as the caller's deadline allows.

        Raises:
            DatabaseUnavailableError: no connection could be made.
        """
        waiting_since = time.perf_counter()
        pool = await self._pool()
        try:
            connection = await self._connecting.call(pool.acquire)
        except (*_ACQUIRE_ERRORS, CircuitOpenError) as problem:
            raise DatabaseUnavailableError(
                "The database cannot be reached at the moment.", "Try the same call again in a few seconds."
            ) from problem
        name = self._configuration.name
        telemetry.record("pool_wait", (time.perf_counter() - waiting_since) * 1_000, pool=name)
        telemetry.record("pool_connections", pool.get_size() - pool.get_idle_size(), pool=name)
        try:
            yield connection
        except BaseException:
            # Release waits for the server, which may say nothing any more: a caller that has had enough does not wait.
            self._start_release(pool, connection)
            raise
        # Shielded: a caller that is cancelled now must not leave it half done.
        await asyncio.shield(self._start_release(pool, connection))

    @property
    def use(self) -> PoolUse:
        opening = self._opening
        if opening is None or not opening.done() or _failed(opening):
            return PoolUse(self._configuration.max_size, 0, 0)
        pool = opening.result()
        return PoolUse(self._configuration.max_size, pool.get_size(), pool.get_size() - pool.get_idle_size())

    def _start_release(self, pool: asyncpg.Pool, connection: PoolConnectionProxy) -> asyncio.Task[None]:
        releasing = asyncio.ensure_future(_release(pool, connection))
        self._releasing.add(releasing)
        releasing.add_done_callback(self._releasing.discard)
        return releasing

    async def _pool(self) -> asyncpg.Pool:
        if self._opening is not None and self._opening.get_loop() is not asyncio.get_running_loop():
            # It cannot be closed, because its loop is gone. Its sockets go with its objects, and until then its
            # sessions count against the database's limit.
            self._opening = None
            gc.collect()
        if self._opening is None or _failed(self._opening):
            self._opening = asyncio.ensure_future(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> asyncpg.Pool:
        configuration = self._configuration
        self.times_opened += 1
        return await asyncpg.create_pool(
            host=configuration.host,
            port=configuration.port,
            database=configuration.database,
            user=configuration.user,
            ssl=await asyncio.to_thread(tls, configuration.sslmode),  # reads the machine's certificates
            connect=self._connect,
            min_size=0,
            max_size=configuration.max_size,
            max_inactive_connection_lifetime=_IDLE_SECONDS,
            timeout=_CONNECT_SECONDS,
            # A cached statement shows one tenant's SQL to the next and breaks behind a pooler.
            statement_cache_size=0,
            server_settings={"application_name": _APPLICATION_NAME},
            init=_prepare_connection,
            # A reset costs a round trip a call and clears nothing behind a pooler, which lends another session by then.
            # Our own SQL leaves nothing behind; what a model's may have left, the next tenant's BEGIN clears.
            reset=_leave_as_it_is,
        )

    async def _connect(self, *arguments: Any, **options: Any) -> asyncpg.Connection:
        """A new connection; where the password is refused, once more with a newer one, if there is one.

        Connections that are open outlive their password, so a rotation (or a token's end) closes none.
        """
        ask = self._configuration.password
        async with asyncio.timeout(_CONNECT_SECONDS):
            password = await ask()
            try:
                return await asyncpg.connect(*arguments, password=password, **options)
            except asyncpg.InvalidAuthorizationSpecificationError as refusal:
                newer = await ask(password)
                if newer == password:
                    _log.error("the database refused the login %s (%s)", self._configuration.user, refusal.sqlstate)
                    raise
            return await asyncpg.connect(*arguments, password=newer, **options)

    async def close(self) -> None:
        """Close the pool if this loop opened one; the next use opens a new one."""
        opening, self._opening = self._opening, None
        if opening is not None and opening.get_loop() is asyncio.get_running_loop() and not _failed(opening):
            await (await opening).close()


async def _release(pool: asyncpg.Pool, connection: PoolConnectionProxy) -> None:
    # What cannot be reset is closed by asyncpg, and the next call gets a new connection.
    with contextlib.suppress(*CONNECTION_ERRORS):
        await pool.release(connection, timeout=_RELEASE_SECONDS)


def _failed(opening: asyncio.Task[asyncpg.Pool]) -> bool:
    return opening.done() and (opening.cancelled() or opening.exception() is not None)


async def _prepare_connection(connection: asyncpg.Connection) -> None:
    await register_vector(connection)


async def _leave_as_it_is(_: asyncpg.Connection) -> None:
    """In the place of asyncpg's own reset; a transaction that is open has been rolled back by then."""


_pools: dict[PoolConfiguration, LazyPool] = {}


class Pools:
    """The two logins of this worker: `reader` runs models' SQL, `app` does Zava's own reads and writes.

    Only the reader's may be a replica: it never writes, and the app's work cannot wait for what it wrote to arrive.
    """

    def __init__(self, settings: Settings, logins: DatabaseLogins | None = None) -> None:
        logins = logins or DatabaseLogins.of(settings)
        common = PoolConfiguration(
            "app",
            settings.postgres_host,
            settings.postgres_port,
            settings.postgres_database,
            settings.postgres_app_user,
            logins.app,
            settings.postgres_sslmode,
            settings.postgres_app_pool_max,
        )
        self._app = _shared(common)
        self._reader = _shared(
            replace(
                common,
                name="reader",
                host=settings.postgres_reader_host or settings.postgres_host,
                user=settings.postgres_reader_user,
                password=logins.reader,
                max_size=settings.postgres_reader_pool_max,
            )
        )

    @property
    def reader(self) -> LazyPool:
        return self._reader

    @property
    def app(self) -> LazyPool:
        return self._app

    async def close(self) -> None:
        await self._reader.close()
        await self._app.close()


def _shared(configuration: PoolConfiguration) -> LazyPool:
    return _pools.setdefault(configuration, LazyPool(configuration))
