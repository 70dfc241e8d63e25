"""The level that workers share, on a real Redis: what is kept there, and what is believed of what comes back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from tests.clock import Clock
from tests.redis_server import GivenSecrets, RedisServer
from zava.platform.redis_level import CALL_SECONDS, RedisLevel
from zava.platform.sealed_values import SealedValues
from zava.platform.secret_names import SecretName

_KEY, _OTHER = "a1" * 32, "b2" * 32
_VALUE = b'{"rows":[["ada@example.com"]]}'
_OLD, _NEW, _FOREIGN = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    client = server.client()
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def secrets(server: RedisServer) -> GivenSecrets:
    return GivenSecrets.of(server, _NEW, _OLD)


async def _made_ready(level: RedisLevel) -> RedisLevel:
    """The first call of a process may only have started the import of the package."""
    while level._opened is None:
        await level.get(_OTHER)
    return level


@pytest.fixture
async def level(redis: Redis, secrets: GivenSecrets) -> AsyncIterator[RedisLevel]:
    level = await _made_ready(RedisLevel(secrets, 30))
    yield level
    await level.close()


async def test_a_value_comes_back_with_its_age_and_redis_forgets_it_in_time(
    redis: Redis, secrets: GivenSecrets
) -> None:
    clock = Clock(1_800_000_000.0)
    level = await _made_ready(RedisLevel(secrets, 30, wall_clock=clock))
    await level.put(_KEY, _VALUE, 3.0)
    assert 26_000 < await redis.pttl(f"zava:answer:{_KEY}") <= 27_000
    clock.now += 4.5
    assert await level.get(_KEY) == (_VALUE, 7.5)
    assert (await level.get(_OTHER), level.state) == (None, "closed")
    await level.close()


async def test_redis_learns_no_row_and_no_question(redis: Redis, level: RedisLevel) -> None:
    await level.put(_KEY, _VALUE, 0.0)
    (name,) = await redis.keys("*")
    held = await redis.get(name)
    assert name == f"zava:answer:{_KEY}".encode()
    assert isinstance(held, bytes)
    assert held.startswith(b"gAAAA")
    assert b"ada" not in held


async def test_a_value_that_is_too_old_to_keep_is_not_sent(redis: Redis, level: RedisLevel) -> None:
    await level.put(_KEY, _VALUE, 30.0)
    assert await redis.dbsize() == 0


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [(29.9, True), (30.0, False), (86_400.0, False), (-0.5, True), (-2.0, False)],
    ids=["nearly too old", "too old", "put back from yesterday", "clocks a little apart", "from the future"],
)
async def test_an_old_value_that_somebody_put_back_is_not_believed(
    redis: Redis, secrets: GivenSecrets, ahead: float, expected: bool
) -> None:
    clock = Clock(1_800_000_000.0)
    level = await _made_ready(RedisLevel(secrets, 30, wall_clock=clock))
    await level.put(_KEY, _VALUE, 0.0)
    await redis.persist(f"zava:answer:{_KEY}")
    clock.now += ahead
    assert (await level.get(_KEY) is not None) is expected
    await level.close()


def _sealed(keys: str, key: str = _KEY) -> bytes:
    return SealedValues(keys).seal(key, _VALUE, time.time())


_POISON = {
    "text": b"hello",
    "JSON as it was before encryption": _VALUE,
    "empty": b"",
    "ciphertext of another key's answer": _sealed(_NEW, _OTHER),
    "ciphertext of a secret that is not ours": _sealed(_FOREIGN),
    "ciphertext cut short": _sealed(_NEW)[:-5],
    "ciphertext with one bit turned": _sealed(_NEW)[:40] + b"A" + _sealed(_NEW)[41:],
    "ciphertext of nothing": Fernet(_NEW).encrypt(b""),
    "ciphertext of a key without a time": Fernet(_NEW).encrypt(_KEY.encode()),
}


@pytest.mark.parametrize("poison", _POISON.values(), ids=_POISON)
async def test_a_value_that_is_not_this_answer_is_a_miss_and_then_replaced(
    redis: Redis, level: RedisLevel, poison: bytes
) -> None:
    await redis.set(f"zava:answer:{_KEY}", poison)
    assert await level.get(_KEY) is None
    await level.put(_KEY, _VALUE, 0.0)
    found = await level.get(_KEY)
    assert found is not None
    assert (found[0], level.state) == (_VALUE, "closed")


async def test_another_type_under_a_key_is_a_miss_and_then_replaced(redis: Redis, level: RedisLevel) -> None:
    await redis.rpush(f"zava:answer:{_KEY}", "a", "b")
    for _ in range(6):  # an answer, if an odd one: Redis is not taken to be away
        assert await level.get(_KEY) is None
    assert level.state == "closed"
    await level.put(_KEY, _VALUE, 0.0)
    assert await level.get(_KEY) is not None


async def test_encryption_keys_rotate_without_a_restart(redis: Redis, server: RedisServer) -> None:
    secrets = GivenSecrets.of(server, _OLD)
    level = await _made_ready(RedisLevel(secrets, 30))
    await level.put(_KEY, _VALUE, 0.0)
    secrets.values[SecretName.CACHE_ENCRYPTION_KEY] = f"{_NEW}, {_OLD}"
    assert await level.get(_KEY) is not None
    await level.put(_OTHER, _VALUE, 0.0)
    secrets.values[SecretName.CACHE_ENCRYPTION_KEY] = _NEW
    assert (await level.get(_KEY) is None, await level.get(_OTHER) is None) == (True, False)
    await level.close()


async def test_a_password_that_changed_is_asked_for_again(redis: Redis, server: RedisServer) -> None:
    with_password = f"redis://:new-word@127.0.0.1:{server.port}"
    secrets = GivenSecrets.of(server)
    await redis.config_set("requirepass", "new-word")
    admin = Redis.from_url(with_password)
    try:
        level = RedisLevel(secrets, 30)
        while not secrets.refused:
            assert await level.get(_KEY) is None
        assert secrets.refused == [server.url]
        secrets.values[SecretName.REDIS_URL] = with_password
        await level.put(_KEY, _VALUE, 0.0)
        assert await level.get(_KEY) is not None
        await level.close()
    finally:
        await admin.config_set("requirepass", "")
        await admin.aclose()


async def test_a_call_that_ran_out_of_time_leaves_nothing_for_the_next(redis: Redis, level: RedisLevel) -> None:
    await level.put(_KEY, b"first", 0.0)
    await level.put(_OTHER, b"second", 0.0)
    await redis.execute_command("CLIENT", "PAUSE", "250", "ALL")
    began = time.monotonic()
    assert await asyncio.gather(*(level.get(_KEY) for _ in range(3))) == [None] * 3
    assert time.monotonic() - began < 3 * CALL_SECONDS
    await redis.ping()  # answered when the pause is over
    found = await level.get(_OTHER)
    assert found is not None
    assert found[0] == b"second"


async def test_without_a_redis_nothing_is_done_and_nothing_said(caplog: pytest.LogCaptureFixture) -> None:
    level = RedisLevel(GivenSecrets({}), 30)
    await level.put(_KEY, _VALUE, 0.0)
    assert (await level.get(_KEY), level.state, caplog.records) == (None, "off", [])
    await level.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(SecretName.REDIS_URL, "nonsense-that-is-secret", id="no address"),
        pytest.param(SecretName.REDIS_URL, "redis://:nonsense@cache.example:6379", id="an address without TLS"),
        pytest.param(SecretName.CACHE_ENCRYPTION_KEY, "nonsense-that-is-secret", id="no key"),
    ],
)
async def test_a_secret_of_the_wrong_form_is_told_once_and_never_shown(
    secrets: GivenSecrets, name: SecretName, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    secrets.values[name] = value
    caplog.set_level(logging.WARNING, "zava.platform.redis_level")
    level = RedisLevel(secrets, 30)
    while not any(name.setting in record.getMessage() for record in caplog.records):
        assert await level.get(_KEY) is None
    assert await level.get(_KEY) is None
    assert sum(name.setting in record.getMessage() for record in caplog.records) == 1
    assert "nonsense" not in caplog.text


async def test_a_vault_that_is_away_means_memory_only(secrets: GivenSecrets) -> None:
    secrets.away = True
    level = RedisLevel(secrets, 30)
    await level.put(_KEY, _VALUE, 0.0)
    assert await level.get(_KEY) is None
