"""Rotating the signing key: both keys work between `add` and `retire`, and the old one ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests.conftest import Database
from zava.data.isolation_proof import IsolationProof
from zava.data.pools import Pools
from zava.data.signing_keys import SigningKeys
from zava.data.tenant_context import ContextSigner, SigningKey, TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.errors import IsolationError
from zava.local.stores import STORES

SCOPE = TenantScope(frozenset({STORES[0].store_id}), "ab" * 32)


def _command(database: Database, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | database.environment | database.administrator.environment() | changes
    return subprocess.run(
        [sys.executable, "-m", "zava.data.rotate_key", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


async def _orders_with(key: SigningKey, pools: Pools) -> int:
    transactions = TenantTransactions(pools, ContextSigner(key), IsolationProof(pools, ContextSigner(key)))
    async with transactions.open(SCOPE, timeout_seconds=5, deadline=time.monotonic() + 5) as connection:
        return await connection.fetchval("SELECT count(*) FROM retail.orders")


async def test_a_rotation_has_no_moment_in_which_calls_fail_and_ends_the_old_key(fresh_database: Database) -> None:
    pools = Pools(fresh_database.settings)
    old = SigningKey.parse(fresh_database.cluster.secrets.tenant_signing_key)
    try:
        expected = await _orders_with(old, pools)
        added = _command(fresh_database, "add")
        assert (added.returncode, added.stderr) == (0, "")
        new = SigningKey.parse(added.stdout.strip())
        assert [await _orders_with(key, pools) for key in (old, new)] == [expected, expected]
        assert _command(fresh_database, "list").stdout.splitlines() == [
            f"{old.key_id}  accepted without end",
            f"{new.key_id}  accepted without end",
        ]
        third = _command(fresh_database, "add")
        assert (third.returncode, third.stdout) == (1, "")
        assert "two keys are accepted already; retire the old one first" in third.stderr

        retired = _command(fresh_database, "retire", old.key_id, "--minutes", "0")
        assert retired.returncode == 0, retired.stderr
        assert await _orders_with(new, pools) == expected
        with pytest.raises(IsolationError):
            await _orders_with(old, pools)
        assert [key_id for key_id, _ in await SigningKeys(fresh_database.administrator).keys()] == [new.key_id]
    finally:
        await pools.close()


async def test_an_old_key_is_accepted_until_its_moment_comes(fresh_database: Database) -> None:
    pools = Pools(fresh_database.settings)
    old = SigningKey.parse(fresh_database.cluster.secrets.tenant_signing_key)
    keys = SigningKeys(fresh_database.administrator)
    try:
        await keys.add(SigningKey.generate("next"))
        await keys.retire(old.key_id, 10)
        assert await _orders_with(old, pools) > 0
    finally:
        await pools.close()


async def test_a_key_that_has_ended_is_not_brought_back_by_retiring_it_again(fresh_database: Database) -> None:
    old = SigningKey.parse(fresh_database.cluster.secrets.tenant_signing_key)
    keys = SigningKeys(fresh_database.administrator)
    await keys.add(SigningKey.generate("next"))
    ended = await keys.retire(old.key_id, 0)
    assert await keys.retire(old.key_id, 10) == ended
    assert [key_id for key_id, _ in await keys.keys()] == ["next"]


async def test_the_last_key_cannot_be_retired(fresh_database: Database) -> None:
    old = SigningKey.parse(fresh_database.cluster.secrets.tenant_signing_key)
    result = _command(fresh_database, "retire", old.key_id)
    assert result.returncode == 1
    assert "the only key that stays; add another one first" in result.stderr


async def test_a_key_that_is_not_there_cannot_be_retired(fresh_database: Database) -> None:
    result = _command(fresh_database, "retire", "nosuch")
    assert result.returncode == 1
    assert "there is no key nosuch" in result.stderr


async def test_a_missing_administrator_is_said_by_its_setting(fresh_database: Database) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("POSTGRES")}
    result = subprocess.run(
        [sys.executable, "-m", "zava.data.rotate_key", "list"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert "Set POSTGRES_HOST" in result.stderr


async def test_a_key_whose_time_runs_out_within_a_transaction_makes_no_answer_of_it_empty(
    fresh_database: Database,
) -> None:
    pools, keys = Pools(fresh_database.settings), SigningKeys(fresh_database.administrator)
    old = SigningKey.parse(fresh_database.cluster.secrets.tenant_signing_key)
    await keys.add(SigningKey.generate("next"))
    try:
        async with pools.reader.connection():
            pass  # so that what follows takes milliseconds
        await keys.retire(old.key_id, 0.009)
        async with fresh_database.transactions(pools).open(
            SCOPE, timeout_seconds=5, deadline=time.monotonic() + 5
        ) as connection:
            await connection.execute("SELECT pg_sleep(0.6)")
            assert await connection.fetchval("SELECT count(*) FROM retail.stores") == 1
        with pytest.raises(IsolationError):
            await _orders_with(old, pools)
    finally:
        await pools.close()


async def test_a_key_retired_between_the_opening_and_the_answer_makes_it_not_empty(fresh_database: Database) -> None:
    pools, keys = Pools(fresh_database.settings), SigningKeys(fresh_database.administrator)
    await keys.add(SigningKey.generate("next"))
    superuser = await fresh_database.superuser()
    try:
        retiring = superuser.transaction()
        await retiring.start()
        await superuser.execute("UPDATE guard.context_key SET not_after = now() WHERE key_id <> 'next'")
        async with fresh_database.transactions(pools).open(
            SCOPE, timeout_seconds=5, deadline=time.monotonic() + 5
        ) as connection:
            await retiring.commit()
            assert await connection.fetchval("SELECT count(*) FROM retail.stores") == 1
    finally:
        await superuser.close()
        await pools.close()


async def test_a_second_rotation_is_as_good_as_the_first(fresh_database: Database) -> None:
    pools = Pools(fresh_database.settings)
    current = SigningKey.parse(fresh_database.cluster.secrets.tenant_signing_key)
    try:
        for number in (1, 2, 3):
            added = _command(fresh_database, "add")
            new = SigningKey.parse(added.stdout.strip())
            assert new.key_id == f"key{number}"
            assert await _orders_with(new, pools) > 0
            assert _command(fresh_database, "retire", current.key_id, "--minutes", "0").returncode == 0
            current = new
        assert await SigningKeys(fresh_database.administrator).keys() == [(current.key_id, None)]
    finally:
        await pools.close()


async def test_a_key_that_had_ended_is_accepted_again_when_it_is_the_one_installed(fresh_database: Database) -> None:
    """The hook installs what the vault holds, and says that it is accepted."""
    keys = SigningKeys(fresh_database.administrator)
    old = SigningKey.parse(fresh_database.cluster.secrets.tenant_signing_key)
    await keys.add(SigningKey.generate("next"))
    await keys.retire(old.key_id, 0)
    await keys.install(old)
    assert sorted(await keys.keys()) == sorted([(old.key_id, None), ("next", None)])
