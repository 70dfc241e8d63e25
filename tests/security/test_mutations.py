"""The checks of these tests see what they are there for: each wall is broken on purpose, and the check goes red.

Every case first shows that the check is green on the sound system, then breaks one thing, then wants the violation.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, MutableMapping
from typing import Any, cast

import asyncpg
import pytest
from asyncpg.pool import PoolConnectionProxy

from tests.conftest import Database
from tests.security.attempts import Attempts
from tests.security.database_breaks import DATABASE_BREAKS, Break, as_the_app, forged, writable
from tests.security.database_state import DatabaseState
from tests.security.planted import SEATTLE_SCOPE, Planted, copy_of, opened
from tests.security.session_checks import (
    BELLEVUE_SCOPE,
    answers_without_confirmation,
    contexts_seen_by_others,
    kept_by_sessions,
)
from tests.security.traffic import Traffic
from tests.security.ways import (
    AllWalls,
    ForgedTransactions,
    PolicyOff,
)
from zava import errors
from zava.data import database_errors, tenant_transaction
from zava.data.sql_policy import functions
from zava.data.tenant_context import TenantScope
from zava.data.tenant_transaction import TenantTransactions

_numbers = itertools.count(1)


@pytest.fixture
async def broken(planted_template: Database) -> AsyncIterator[Planted]:
    """A planted database of the test's own, to be broken."""
    async with opened(await copy_of(planted_template, f"zava_broken_{next(_numbers)}")) as parts:
        yield parts


@pytest.mark.parametrize("case", DATABASE_BREAKS.values(), ids=DATABASE_BREAKS)
async def test_a_broken_database_is_seen(case: Break, broken: Planted, twin: Planted) -> None:
    attempts = Attempts(
        "broken",
        broken,
        twin,
        lambda parts: case.way(case.transactions(parts), SEATTLE_SCOPE),
        own=case.own,
    )
    state = await DatabaseState.now(broken.superuser)
    assert await attempts.violations(case.attempt, state) == []
    assert await broken.proof.run() == ()
    await broken.superuser.execute(case.statement)
    try:
        await broken.pools.close()
        await state.changes()
        violations = await attempts.violations(case.attempt, state)
        failed = await broken.proof.run()
    finally:
        if case.mended:
            await broken.superuser.execute(case.mended)
    assert any(case.found in violation for violation in violations), violations
    assert not case.proof or case.proof in failed


async def test_a_dropped_force_is_seen_by_the_owners_eyes_and_by_the_proof(broken: Planted) -> None:
    async def rows_for_the_owner() -> int:
        connection = await broken.database.administrator.open()
        try:
            await connection.execute("SET ROLE zava_owner")
            return len(await connection.fetch("SELECT FROM retail.orders"))
        finally:
            await connection.close()

    assert await rows_for_the_owner() == 0
    await broken.superuser.execute("ALTER TABLE retail.orders NO FORCE ROW LEVEL SECURITY")
    assert await rows_for_the_owner() > 0
    assert await broken.proof.run() == ("row_security_is_forced",)


async def test_a_context_set_for_the_whole_session_is_seen(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    await planted.pools.close()
    assert await kept_by_sessions(planted) == []
    for_the_session = tenant_transaction._OPEN.replace("$1, true", "$1, false")
    assert for_the_session != tenant_transaction._OPEN
    monkeypatch.setattr(tenant_transaction, "_OPEN", for_the_session)
    assert "rows of customers without a context" in await kept_by_sessions(planted)
    await planted.pools.close()


async def test_a_cache_of_statements_is_seen(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    create_pool: Any = asyncpg.create_pool

    def with_cache(**options: object) -> object:
        return create_pool(**(options | {"statement_cache_size": 100}))

    await planted.pools.close()
    monkeypatch.setattr(asyncpg, "create_pool", with_cache)
    try:
        found = await kept_by_sessions(planted)
    finally:
        await planted.pools.close()
    assert found != []


class _WithLiterals(TenantTransactions):
    """Writes the context into the statement, where a bind parameter belongs."""

    async def _begin(self, connection: PoolConnectionProxy, scope: TenantScope, statement_seconds: float) -> None:
        context = (await self._signers.current()).sign(scope)
        opening = tenant_transaction._OPEN.replace("$1", f"'{context}'").replace("$2", "'5s'")
        await connection.fetch(opening)


async def test_a_context_that_travels_as_a_literal_is_seen(planted: Planted) -> None:
    literal = _WithLiterals(planted.pools, planted.signer, planted.proof)
    assert await contexts_seen_by_others(planted, literal) != []


async def test_an_app_that_does_not_compare_what_was_verified_is_seen(planted: Planted) -> None:
    assert await answers_without_confirmation(forged("expired")(planted)) == ["((0,),)"]


async def test_a_missing_read_only_is_seen(broken: Planted, twin: Planted) -> None:
    state = await DatabaseState.now(broken.superuser)
    found: list[list[str]] = []
    for transactions in (as_the_app, writable):
        attempts = Attempts(
            "policy off",
            broken,
            twin,
            lambda parts, transactions=transactions: PolicyOff(transactions(parts), SEATTLE_SCOPE),
            strict=True,
        )
        found.append(await attempts.violations("SELECT lo_create(0)", state, compared=False))
    assert found[0] == []
    assert "policy off: wrote into pg_catalog.pg_largeobject_metadata" in found[1]


@pytest.mark.parametrize(
    ("function", "attack"),
    [
        ("set_config", "SELECT set_config('statement_timeout', '0', false)"),
        ("query_to_xml", "SELECT query_to_xml('TABLE retail.customers', true, true, '')"),
        ("pg_terminate_backend", "SELECT pg_terminate_backend(0)"),
        ("current_setting", "SELECT current_setting('zava.tenant_context')"),
    ],
)
async def test_a_function_let_in_is_seen(
    function: str, attack: str, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = AllWalls(planted.transactions, SEATTLE_SCOPE)
    assert (await way.run(attack)).error.startswith("QueryRefusedError")
    known = cast("MutableMapping[str, functions.Result]", functions.FUNCTIONS)
    monkeypatch.setitem(known, function, functions.Result.TEXT)
    assert not (await way.run(attack)).error.startswith(
        "QueryRefusedError {'code': 'QUERY_REFUSED', 'message': 'Refused ("
    )


async def test_an_error_that_quotes_a_row_is_seen(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    def telling(problem: asyncpg.PostgresError, _statement_seconds: float | None) -> errors.DatabaseError:
        return errors.QueryError(str(problem))

    way = AllWalls(planted.transactions, BELLEVUE_SCOPE)
    told: list[bool] = []
    for _ in range(2):
        outcome = await way.run("SELECT sum(email::int) FROM customers")
        told.append(bool(planted.evidence.owners(outcome.error.split("} {")[0])))
        monkeypatch.setattr(database_errors, "error_of", telling)
    assert told == [False, True]


async def test_a_context_that_calls_share_is_seen_in_the_traffic(planted: Planted) -> None:
    """The last one signed, kept in a variable: what a global on the way would do."""
    sound = planted.signer
    kept = ""

    def shared(scope: TenantScope) -> str:
        nonlocal kept
        kept, last = sound.sign(scope), kept
        return last or kept

    traffic = Traffic(ForgedTransactions(planted.pools, planted.proof, shared), planted.evidence)
    assert any("got rows of" in violation for violation in (await traffic.run(100)).violations)
