"""A tenant context that the database did not verify shows no row, and the app answers with an error, not with zeros."""

from __future__ import annotations

import time

import pytest

from tests.security.canaries import TENANT_TABLES
from tests.security.forgeries import FORGERIES, Forge
from tests.security.planted import SEATTLE_SCOPE, SECOND_KEY, Planted
from tests.security.session_checks import answers_without_confirmation
from tests.security.ways import LIMITS, ForgedTransactions, Unwrapped
from zava.data.query_runner import QueryRunner
from zava.data.tenant_context import ContextSigner, TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.errors import IsolationError
from zava.local.stores import STORES

_every_forgery = pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)


class _ForgingSigner(ContextSigner):
    """Signs as whoever has no key would."""

    def __init__(self, planted: Planted, forge: Forge) -> None:
        super().__init__(planted.signing_key)
        self._forge = forge

    def sign(self, scope: TenantScope) -> str:
        return self._forge(self._key, scope)


def _unverified(planted: Planted, context: str) -> Unwrapped:
    """A tenant's transaction in an app that trusts blindly."""
    return Unwrapped(ForgedTransactions(planted.pools, planted.proof, lambda _scope: context), SEATTLE_SCOPE)


@_every_forgery
@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_no_table_shows_a_row(table: str, forge: Forge, planted: Planted) -> None:
    outcome = await _unverified(planted, forge(planted.signing_key, SEATTLE_SCOPE)).run(f"TABLE retail.{table}")
    assert (outcome.rows, outcome.error) == ((), "")


async def test_what_is_signed_with_either_accepted_key_shows_rows(planted: Planted) -> None:
    for key in (planted.signing_key, SECOND_KEY):
        outcome = await _unverified(planted, ContextSigner(key).sign(SEATTLE_SCOPE)).run("TABLE retail.customers")
        assert planted.evidence.owners(outcome.text) == {"seattle"}


@_every_forgery
async def test_the_app_notices(forge: Forge, planted: Planted) -> None:
    transactions = TenantTransactions(planted.pools, _ForgingSigner(planted, forge), planted.proof)
    assert await answers_without_confirmation(transactions) == []


async def test_the_app_notices_a_scope_that_is_valid_but_not_the_one_asked_for(planted: Planted) -> None:
    signed = ContextSigner(planted.signing_key).sign(SEATTLE_SCOPE)
    transactions = TenantTransactions(
        planted.pools, _ForgingSigner(planted, lambda _key, _scope: signed), planted.proof
    )
    wider = TenantScope(SEATTLE_SCOPE.store_ids | {STORES[1].store_id}, SEATTLE_SCOPE.subject)
    with pytest.raises(IsolationError):
        await QueryRunner(transactions, LIMITS).run("SELECT 1", wider, deadline=time.monotonic() + 20)


@_every_forgery
@pytest.mark.parametrize("local", ["true", "false"])
async def test_a_query_that_puts_it_in_place_of_its_own_sees_nobody_elses_rows(
    local: str, forge: Forge, planted: Planted
) -> None:
    """Evaluated before, while and after the rows are read."""
    forged = forge(planted.signing_key, SEATTLE_SCOPE).replace("'", "''")
    change = f"set_config('zava.tenant_context', '{forged}', {local})"
    way = Unwrapped(planted.transactions, SEATTLE_SCOPE)
    for sql in (
        f"WITH x AS MATERIALIZED (SELECT {change} AS v) SELECT c.* FROM x, retail.customers AS c WHERE x.v IS NOT NULL",
        f"SELECT c.* FROM retail.customers AS c WHERE (SELECT {change}) IS NOT NULL",
        f"SELECT c.*, {change} FROM retail.customers AS c",
        f"SELECT c.* FROM (SELECT {change} AS v) AS x, LATERAL (SELECT * FROM retail.customers WHERE x.v <> '?') AS c",
        f"SELECT * FROM retail.customers LIMIT length({change}) + 1000",
        f"SELECT {change} UNION ALL SELECT email FROM retail.customers",
    ):
        outcome = await way.run(sql)
        assert not planted.evidence.of_others(outcome.text, "seattle", asked=sql), sql
