"""Each caller gets the rows of their stores, all of them and no other, from every tenant table."""

from __future__ import annotations

import time
from collections.abc import Callable

import asyncpg
import pytest

from tests.conftest import Database
from zava.bootstrap import Application
from zava.data.query_runner import QueryLimits, QueryRunner
from zava.data.tenant_context import ContextSigner, SigningKey, TenantScope
from zava.errors import IsolationError
from zava.local.stores import STORES

_FIGURES = {
    "stores": "SELECT count(*), 0 FROM retail.stores",
    "customers": "SELECT count(*), count(DISTINCT email) FROM retail.customers",
    "inventory": "SELECT count(*), sum(stock_level) FROM retail.inventory",
    "orders": "SELECT count(*), sum(total_amount) FROM retail.orders",
    "order_items": "SELECT count(*), sum(total_amount) FROM retail.order_items",
}


@pytest.fixture(scope="module")
def runner(database: Database, application: Application) -> QueryRunner:
    return QueryRunner(database.transactions(application.pools), QueryLimits(1_000, 65_536, 10))


async def _figures(runner: QueryRunner, table: str, scope: TenantScope) -> tuple[object, ...]:
    result = await runner.run(_FIGURES[table], scope, deadline=time.monotonic() + 20)
    return result.rows[0]


@pytest.mark.parametrize("table", _FIGURES)
async def test_a_store_sees_exactly_its_own_rows(
    table: str, runner: QueryRunner, oracle: asyncpg.Connection, scope: Callable[..., TenantScope]
) -> None:
    for store in STORES:
        expected = await oracle.fetchrow(f"{_FIGURES[table]} WHERE store_id = $1", store.store_id)
        seen = await _figures(runner, table, scope(store.slug))
        assert expected is not None
        assert [float(value) for value in expected] == [float(str(value)) for value in seen], store.slug
        assert expected[0] > 0, f"the sample holds no {table} of {store.slug}, so this test proves nothing"


@pytest.mark.parametrize("table", _FIGURES)
async def test_the_stores_add_up_to_head_office(
    table: str, runner: QueryRunner, oracle: asyncpg.Connection, scope: Callable[..., TenantScope]
) -> None:
    single = [await _figures(runner, table, scope(store.slug)) for store in STORES]
    total = await _figures(runner, table, scope())
    added = [round(sum(float(str(value)) for value in column), 2) for column in zip(*single, strict=True)]
    truth = await oracle.fetchrow(_FIGURES[table])
    assert truth is not None
    assert added == [float(str(value)) for value in total] == [float(value) for value in truth]


async def test_two_stores_see_the_rows_of_both(
    runner: QueryRunner, oracle: asyncpg.Connection, scope: Callable[..., TenantScope]
) -> None:
    both = scope("spokane", "everett")
    expected = await oracle.fetchval(
        "SELECT count(*) FROM retail.orders WHERE store_id = ANY ($1)", list(both.store_ids)
    )
    assert (await _figures(runner, "orders", both))[0] == expected


async def test_a_context_signed_with_another_key_is_an_error_and_not_an_empty_answer(
    database: Database, application: Application, scope: Callable[..., TenantScope]
) -> None:
    forged = QueryRunner(
        database.transactions(application.pools, ContextSigner(SigningKey.generate("local1"))),
        QueryLimits(1_000, 65_536, 10),
    )
    with pytest.raises(IsolationError):
        await forged.run("SELECT count(*) FROM retail.orders", scope(), deadline=time.monotonic() + 20)


async def test_a_clock_that_is_far_off_is_an_error_and_not_an_empty_answer(
    database: Database, application: Application, scope: Callable[..., TenantScope]
) -> None:
    key = SigningKey.parse(database.cluster.secrets.tenant_signing_key)
    for offset in (-3_600, 3_600):
        skewed = ContextSigner(key, clock=lambda offset=offset: time.time() + offset)
        runner = QueryRunner(database.transactions(application.pools, skewed), QueryLimits(1_000, 65_536, 10))
        with pytest.raises(IsolationError):
            await runner.run("SELECT 1", scope("seattle"), deadline=time.monotonic() + 20)


async def test_nothing_of_a_context_is_left_on_the_connection(
    database: Database, application: Application, runner: QueryRunner, scope: Callable[..., TenantScope]
) -> None:
    await _figures(runner, "orders", scope())
    async with application.pools.reader.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM retail.orders") == 0
        assert not await connection.fetchval("SELECT current_setting('zava.tenant_context', true)")
