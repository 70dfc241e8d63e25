"""The table of attacks against the real database, four times: with all walls, and with one or two of them taken away.

However many walls are left, no row of another tenant comes back and no row of ours is changed. With all of them nothing
is written anywhere and no other session is disturbed. The server has no revokes that only a superuser could make.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.security.attempts import Attempts
from tests.security.database_state import DatabaseState
from tests.security.forgeries import FORGERIES
from tests.security.planted import SEATTLE_SCOPE, Planted
from tests.security.session_attacks import SESSION_ATTACKS
from tests.security.sql_table import REFUSED, SqlCase
from tests.security.ways import (
    AllWalls,
    ForgedTransactions,
    PolicyOff,
    ReadWriteTransactions,
    SimpleProtocol,
    Unwrapped,
)
from zava.data.tenant_context import ContextSigner

# What these ask for would keep the server busy with gigabytes, uninterruptibly, and has nothing to do with whose rows come
# back: that they go no further than the policy is all there is to see.
_ABOUT_SIZE = frozenset(
    "size_argument value_too_large nested_size format_string recursive_growth long_series format_width".split()
)
# Without the policy, the server's own state is there to read (no revoke but a superuser's hides it), and it differs
# between two databases in itself. Tenants' rows are not in it.
_TELLS_OF_THE_SERVER = frozenset("catalogue session_information session".split())

_ATTACKS = (*REFUSED, *SESSION_ATTACKS)
_every_attack = pytest.mark.parametrize("attack", _ATTACKS, ids=lambda attack: attack.id)
_every_small_attack = pytest.mark.parametrize(
    "attack", [attack for attack in _ATTACKS if attack.rule not in _ABOUT_SIZE], ids=lambda attack: attack.id
)


@pytest.fixture(scope="module")
async def bystander(planted: Planted) -> AsyncIterator[asyncpg.Connection]:
    """Another tenant's session in the middle of a transaction."""
    settings = planted.database.settings
    connection = await asyncpg.connect(
        host=settings.postgres_host,
        port=settings.postgres_port,
        user="zava_reader",
        password=settings.postgres_password.get_secret_value(),
        database=settings.postgres_database,
    )
    await connection.execute("BEGIN READ ONLY")
    yield connection
    await connection.close()


@_every_attack
async def test_with_all_walls_an_attack_is_refused_and_disturbs_nobody(
    attack: SqlCase, planted: Planted, twin: Planted, state: DatabaseState, bystander: asyncpg.Connection
) -> None:
    ways = [AllWalls(parts.transactions, SEATTLE_SCOPE) for parts in (planted, twin)]
    attempts = Attempts("all walls", planted, twin, *ways, strict=True)
    assert await attempts.violations(attack.sql, state) == []
    assert (await ways[0].run(attack.sql)).error.startswith("QueryRefusedError")
    assert bystander.is_in_transaction()
    assert await bystander.fetchval("SELECT 1") == 1


@_every_small_attack
async def test_without_the_policy_the_transaction_keeps_tenants_apart(
    attack: SqlCase, planted: Planted, twin: Planted, state: DatabaseState
) -> None:
    assert [
        violation
        for name, way in (("wrapped", PolicyOff), ("unwrapped", Unwrapped), ("simple protocol", SimpleProtocol))
        for violation in await Attempts(
            name,
            planted,
            twin,
            *(way(parts.transactions, SEATTLE_SCOPE) for parts in (planted, twin)),
            strict=way is not SimpleProtocol,
        ).violations(attack.sql, state, compared=attack.rule not in _TELLS_OF_THE_SERVER)
    ] == []


@_every_small_attack
async def test_without_policy_and_read_only_privileges_keep_tenants_apart(
    attack: SqlCase, planted: Planted, twin: Planted, state: DatabaseState
) -> None:
    transactions = [
        ReadWriteTransactions(parts.pools, ContextSigner(parts.signing_key), parts.proof) for parts in (planted, twin)
    ]
    assert [
        violation
        for way in (Unwrapped, SimpleProtocol)
        for violation in await Attempts(
            f"writable, {way.__name__}", planted, twin, *(way(each, SEATTLE_SCOPE) for each in transactions)
        ).violations(attack.sql, state, compared=attack.rule not in _TELLS_OF_THE_SERVER)
    ] == []


@_every_small_attack
async def test_with_a_forged_context_no_row_of_any_tenant_comes_back(
    attack: SqlCase, planted: Planted, twin: Planted, state: DatabaseState
) -> None:
    forge = list(FORGERIES.values())[_ATTACKS.index(attack) % len(FORGERIES)]
    context = forge(planted.signing_key, SEATTLE_SCOPE)
    ways = [
        Unwrapped(ForgedTransactions(parts.pools, parts.proof, lambda _scope: context), SEATTLE_SCOPE)
        for parts in (planted, twin)
    ]
    attempts = Attempts("forged", planted, twin, *ways, own=(), asked=context, strict=True)
    compared = attack.rule not in _TELLS_OF_THE_SERVER
    assert await attempts.violations(attack.sql, state, compared=compared) == []


async def test_after_all_attacks_the_walls_stand_and_seattle_still_sees_its_rows(
    planted: Planted, twin: Planted
) -> None:
    for parts in (planted, twin):
        assert await parts.proof.run() == ()
        outcome = await AllWalls(parts.transactions, SEATTLE_SCOPE).run("TABLE customers")
        assert planted.evidence.owners(outcome.text) == {"seattle"}
