"""The cache's second level: a Redis that workers share, if there is one.

It may be slow, away or wrong, and others may read and write it.

Values are encrypted (`sealed_values`), so whoever reads Redis learns no row, and whoever writes to it, or mixes up two
answers on one connection, brings no caller a foreign one. Whatever is amiss is a miss: the worker's memory and the
database are there. A call takes a tenth of a second at most; after five that failed Redis is left alone for a minute.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from zava.errors import ServiceUnavailableError
from zava.platform.breaker import CircuitBreaker, CircuitOpenError
from zava.platform.sealed_values import SealedValues
from zava.platform.secret_names import SecretName
from zava.platform.secret_source import SecretMissingError
from zava.platform.settings_rules import is_safe_redis
from zava.platform.shared_task import begin, is_under_way

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")
_log = logging.getLogger(__name__)

CALL_SECONDS = 0.1
_CONNECTIONS = 16  # as many calls as the platform lets one worker have
_PREFIX = "zava:answer:"
_CLOCKS_APART_SECONDS = 1.0
"""Workers' clocks agree within this; a value from further ahead is not believed."""


class SecretsByName(Protocol):
    async def get(self, name: SecretName, *, refused: str | None = None) -> str: ...


class _AwayError(Exception):
    """Redis did not answer, or not in time, or does not let us in."""


class _RefusedError(Exception):
    """Redis answered, with an error: a value of another type, no memory left, a replica that only reads."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """What was made of the secrets, and the event loop its connections belong to."""

    url: str = field(repr=False)
    keys: str = field(repr=False)
    loop: asyncio.AbstractEventLoop
    redis: Redis
    sealed: SealedValues


class RedisLevel:
    """Implements `zava.platform.result_cache.SharedLevel`.

    Args:
        seconds: how long a value may be given again; Redis forgets it then.
        clock: monotonic seconds, for the circuit.
        wall_clock: seconds since 1970, which workers share.
    """

    def __init__(
        self,
        secrets: SecretsByName,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._secrets = secrets
        self._seconds = seconds
        self._wall_clock = wall_clock
        self._breaker = CircuitBreaker("Redis", _AwayError, clock=clock)
        self._opened: _Opened | None = None
        self._opening: asyncio.Task[_Opened] | None = None
        self._configured: bool | None = None
        self._refused_url: str | None = None
        self._complaint = ""

    @property
    def state(self) -> Literal["off", "closed", "open", "half-open"]:
        """`off` where no Redis is configured; else the circuit's: `closed` is well."""
        return "off" if self._configured is False else self._breaker.state

    async def get(self, key: str) -> tuple[bytes, float] | None:
        """The value and its age in seconds; None for whatever is no value of ours, or cannot be had."""

        async def read(opened: _Opened) -> tuple[bytes, float] | None:
            found = await opened.redis.get(_PREFIX + key)
            if not isinstance(found, bytes):
                return None
            unsealed = opened.sealed.unseal(key, found)
            if unsealed is None:
                raise _RefusedError("a value in Redis was not sealed under its key, or with another secret")
            age = self._wall_clock() - unsealed.made_at
            return (unsealed.value, max(age, 0.0)) if -_CLOCKS_APART_SECONDS <= age < self._seconds else None

        return await self._asked(read)

    async def put(self, key: str, value: bytes, age: float) -> None:
        """Keep it in Redis for the rest of its time, if Redis is there."""
        milliseconds = int((self._seconds - age) * 1_000)
        made_at = self._wall_clock() - age

        async def write(opened: _Opened) -> None:
            await opened.redis.set(_PREFIX + key, opened.sealed.seal(key, value, made_at), px=milliseconds)

        if milliseconds > 0:
            await self._asked(write)

    async def _asked(self, work: Callable[[_Opened], Awaitable[T]]) -> T | None:
        try:
            opened = await self._ready()
            result = await self._breaker.call(lambda: self._within_time(opened, work))
        except CircuitOpenError:
            return None
        except SecretMissingError:
            self._configured = False
            return None
        except (_AwayError, _RefusedError, ServiceUnavailableError, ValueError) as problem:
            self._complain(str(problem))
            return None
        self._complaint = ""
        return result

    def _complain(self, what: str) -> None:
        """Once, until it is well or something else is amiss."""
        if what != self._complaint:
            _log.warning("answers are kept in memory only: %s", what)
        self._complaint = what

    async def _within_time(self, opened: _Opened, work: Callable[[_Opened], Awaitable[T]]) -> T:
        from redis import exceptions

        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await work(opened)
        except exceptions.AuthenticationError:
            self._refused_url = opened.url
            raise _AwayError("Redis does not take the password") from None
        except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as problem:
            raise _AwayError(f"Redis is away ({type(problem).__name__})") from None
        except exceptions.RedisError as problem:
            raise _RefusedError(f"Redis refused ({type(problem).__name__})") from None

    async def _ready(self) -> _Opened:
        """The client and the keys, as the secrets say now, on this event loop.

        Raises:
            ServiceUnavailableError: a secret is not to be had, now or at all, or not in time.
            ValueError: a secret has not the form it must have; the message does not repeat it.
        """
        if not is_under_way(self._opening):
            self._opening = begin(self._open())
        try:
            async with asyncio.timeout(CALL_SECONDS):
                # Shielded: it goes on, and the next call finds it done. The first one imports packages for a second.
                return await asyncio.shield(self._opening)
        except TimeoutError:
            raise ServiceUnavailableError("Redis is being made ready") from None

    async def _open(self) -> _Opened:
        url = await self._secrets.get(SecretName.REDIS_URL, refused=self._refused_url)
        keys = await self._secrets.get(SecretName.CACHE_ENCRYPTION_KEY)
        self._configured = True
        loop, before = asyncio.get_running_loop(), self._opened
        if before is not None and (before.url, before.keys, before.loop) == (url, keys, loop):
            return before
        redis, sealed = await asyncio.to_thread(_made, url, keys)
        self._opened = _Opened(url, keys, loop, redis, sealed)
        if before is not None and before.loop is loop:
            await before.redis.aclose()
        return self._opened

    async def close(self) -> None:
        """Close the connections if this loop opened them; the next use opens new ones."""
        opened, self._opened, self._opening = self._opened, None, None
        if opened is not None and opened.loop is asyncio.get_running_loop():
            await opened.redis.aclose()


def _made(url: str, keys: str) -> tuple[Redis, SealedValues]:
    """In a thread: the packages take the better part of a second to import."""
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    try:
        sealed = SealedValues(keys)
    except ValueError:
        raise ValueError(f"{SecretName.CACHE_ENCRYPTION_KEY.setting} holds something else than Fernet keys") from None
    if not is_safe_redis(url):  # the vault's, which no setting's rule has seen
        raise ValueError(f"{SecretName.REDIS_URL.setting} must start with rediss://")
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=CALL_SECONDS,
            socket_timeout=CALL_SECONDS,
            socket_connect_timeout=CALL_SECONDS,
            retry=Retry(NoBackoff(), 0),  # the package's own would wait and ask again
        )
    except ValueError:
        raise ValueError(f"{SecretName.REDIS_URL.setting} is no address of a Redis") from None
    return Redis.from_pool(pool), sealed
