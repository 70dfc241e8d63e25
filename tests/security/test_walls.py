"""The attacks against the real database, four times: with all walls, and with one or two of them taken away.

However many walls are left, no row of another tenant comes back and no row of ours is changed. With all of them nothing
is written anywhere and no other session is disturbed. The server has no revokes that only a superuser could make.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.conftest import Database
from tests.security.attempts import OUR_SCHEMAS, Attempts
from tests.security.database_state import DatabaseState
from tests.security.forgeries import FORGERIES
from tests.security.pgbouncer import PgBouncer
from tests.security.planted import SEATTLE_SCOPE, Planted, copy_of, opened
from tests.security.session_attacks import SESSION_ATTACKS
from tests.security.sql_table import REFUSED, SqlCase
from tests.security.ways import (
    AllWalls,
    ForgedTransactions,
    PolicyOff,
    ReadWriteTransactions,
    SimpleProtocol,
    Unwrapped,
    Way,
)

# What these ask for would keep the server busy with gigabytes, uninterruptibly, and has nothing to do with whose rows
# come back: that they go no further than the policy is all there is to see.
_ABOUT_SIZE = frozenset(
    "size_argument value_too_large nested_size format_string recursive_growth long_series json_path too_heavy".split()
)
# Without the policy, the server's and the session's own state is there to read (no revoke but a superuser's hides it),
# and it differs between two databases in itself; a sample differs by chance. Tenants' rows are not in it.
_TELLS_OF_THE_SERVER = frozenset("catalogue session_information setting session table_sample".split())

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


@pytest.fixture(scope="module")
async def pooled(planted: Planted, pgbouncer: PgBouncer) -> AsyncIterator[Planted]:
    async with opened(pgbouncer.before(planted.database)) as parts:
        yield parts


@pytest.fixture(scope="module")
async def pooled_twin(twin: Planted, pgbouncer: PgBouncer) -> AsyncIterator[Planted]:
    async with opened(pgbouncer.before(twin.database)) as parts:
        yield parts


@_every_attack
async def test_with_all_walls_an_attack_is_refused_and_disturbs_nobody(
    attack: SqlCase, planted: Planted, twin: Planted, state: DatabaseState, bystander: asyncpg.Connection
) -> None:
    def way(parts: Planted) -> Way:
        return AllWalls(parts.transactions, SEATTLE_SCOPE)

    assert await Attempts("all walls", planted, twin, way, strict=True).violations(attack.sql, state) == []
    assert (await way(planted).run(attack.sql)).error.startswith("QueryRefusedError")
    assert bystander.is_in_transaction()
    assert await bystander.fetchval("SELECT 1") == 1


@_every_small_attack
async def test_without_the_policy_the_transaction_keeps_tenants_apart(
    attack: SqlCase, planted: Planted, twin: Planted, state: DatabaseState
) -> None:
    found: list[str] = []
    for way in (PolicyOff, Unwrapped, SimpleProtocol):
        attempts = Attempts(
            way.__name__,
            planted,
            twin,
            lambda parts, way=way: way(parts.transactions, SEATTLE_SCOPE),
            strict=way is not SimpleProtocol,
        )
        found += await attempts.violations(attack.sql, state, compared=attack.rule not in _TELLS_OF_THE_SERVER)
    assert found == []


@_every_small_attack
async def test_without_the_policy_and_behind_a_pooler_tenants_are_kept_apart(
    attack: SqlCase, pooled: Planted, pooled_twin: Planted, state: DatabaseState
) -> None:
    attempts = Attempts(
        "behind a pooler", pooled, pooled_twin, lambda parts: Unwrapped(parts.transactions, SEATTLE_SCOPE), strict=True
    )
    compared = attack.rule not in _TELLS_OF_THE_SERVER
    assert await attempts.violations(attack.sql, state, compared=compared) == []


@_every_small_attack
async def test_without_policy_and_read_only_privileges_keep_tenants_apart(
    attack: SqlCase, planted: Planted, twin: Planted, state: DatabaseState
) -> None:
    found: list[str] = []
    for way in (Unwrapped, SimpleProtocol):
        attempts = Attempts(
            f"{way.__name__}, read write",
            planted,
            twin,
            lambda parts, way=way: way(ReadWriteTransactions(parts.pools, parts.signer, parts.proof), SEATTLE_SCOPE),
        )
        found += await attempts.violations(attack.sql, state, compared=attack.rule not in _TELLS_OF_THE_SERVER)
    assert found == []


@_every_small_attack
async def test_with_a_forged_context_no_row_of_any_tenant_comes_back(
    attack: SqlCase, planted: Planted, twin: Planted, state: DatabaseState
) -> None:
    forge = list(FORGERIES.values())[_ATTACKS.index(attack) % len(FORGERIES)]
    context = forge(planted.signing_key, SEATTLE_SCOPE)
    attempts = Attempts(
        "forged context",
        planted,
        twin,
        lambda parts: Unwrapped(ForgedTransactions(parts.pools, parts.proof, lambda _scope: context), SEATTLE_SCOPE),
        own=(),
        asked=context,
        strict=True,
    )
    compared = attack.rule not in _TELLS_OF_THE_SERVER
    assert await attempts.violations(attack.sql, state, compared=compared) == []


async def test_after_all_attacks_the_walls_stand_and_seattle_still_sees_its_rows(
    planted: Planted, twin: Planted
) -> None:
    for parts in (planted, twin):
        assert await parts.proof.run() == ()
        outcome = await AllWalls(parts.transactions, SEATTLE_SCOPE).run("TABLE customers")
        assert planted.evidence.owners(outcome.text) == {"seattle"}


async def test_a_login_that_drops_all_it_owns_shuts_out_nobody_but_itself(planted_template: Database) -> None:
    """Without READ ONLY a role may give up its own rights: then it sees nothing, and the proof says why."""
    async with opened(await copy_of(planted_template, "zava_dropped")) as parts:
        state = await DatabaseState.now(parts.superuser)
        writable = ReadWriteTransactions(parts.pools, parts.signer, parts.proof)
        await Unwrapped(writable, SEATTLE_SCOPE).run("DROP OWNED BY zava_reader")
        assert not {name for name in await state.changes() if name.startswith(OUR_SCHEMAS)}
        assert (await Unwrapped(parts.transactions, SEATTLE_SCOPE).run("TABLE retail.customers")).rows == ()
        assert "policies_are_ours" in await parts.proof.run()
