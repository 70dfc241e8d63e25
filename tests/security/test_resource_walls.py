"""Statements that would run for minutes or return everything end within their limits, and disturb nobody."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator, Callable

import psutil
import pytest

from tests.conftest import Database
from zava import bootstrap
from zava.bootstrap import Application
from zava.data.query_runner import QueryResult
from zava.data.sql_policy import Allowed, analyse, decide
from zava.data.tenant_context import TenantScope
from zava.errors import BusyError, DatabaseError, MCPError, QueryTimeoutError

_LIMIT_SECONDS = 1.0
_MEMORY_BYTES = 350_000_000

# Allowed by the policy, because nothing in their text says how long they run.
_ENDLESS = {
    "product of two tables": "SELECT count(*) FROM order_items AS a, order_items AS b, order_items AS c",
    "endless recursion": "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "sort of a product": (
        "SELECT a.order_item_id, b.order_item_id FROM order_items AS a, order_items AS b, products AS p "
        "ORDER BY a.total_amount * b.total_amount * p.cost LIMIT 10"
    ),
    "distinct pairs": (
        "SELECT count(DISTINCT (a.order_item_id, b.order_item_id, c.store_id)) "
        "FROM order_items AS a, order_items AS b, stores AS c"
    ),
    "window over a product": (
        "SELECT max(r) FROM (SELECT rank() OVER (ORDER BY a.total_amount, b.total_amount) AS r "
        "FROM order_items AS a, order_items AS b) AS q"
    ),
    "median of a product": (
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a.total_amount + b.total_amount) "
        "FROM order_items AS a, order_items AS b"
    ),
    "product kept in a CTE": (
        "WITH pairs AS MATERIALIZED (SELECT a.order_id, b.product_id FROM order_items AS a, order_items AS b) "
        "SELECT count(*) FROM pairs"
    ),
    "three series": (
        "SELECT count(*) FROM generate_series(1, 99999) AS a, generate_series(1, 99999) AS b, generate_series(1, 9)"
    ),
    "lateral for every row": (
        "SELECT sum(q.n) FROM order_items AS a, generate_series(1, 1000) AS g, "
        "LATERAL (SELECT count(*) AS n FROM order_items AS b WHERE b.total_amount > a.total_amount + g) AS q"
    ),
    "pattern that backtracks": (
        r"SELECT count(*) FROM products AS p, order_items AS i, order_items AS j "
        r"WHERE p.product_description ~ '^(.*)(.*)(.*)\1\2\3$'"
    ),
}


@pytest.fixture
async def short(database: Database) -> AsyncGenerator[Application]:
    """An app whose statements may run a second."""
    settings = database.settings.model_copy(update={"query_timeout_seconds": _LIMIT_SECONDS})
    application = bootstrap.build(settings)
    yield application
    await application.pools.close()


async def _run(application: Application, sql: str, scope: TenantScope) -> QueryResult:
    return await application.sales_queries.run(sql, scope, deadline=time.monotonic() + 25)


def _backends(database: Database) -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if process.name() == "postgres" and f"zava_reader {database.name}" in " ".join(process.cmdline())
    ]


_COLLECTING = {
    "json_agg": "SELECT json_agg(a.*) FROM order_items AS a JOIN order_items AS b USING (store_id)",
    "array_agg": "SELECT array_agg(a.order_id) FROM order_items AS a JOIN order_items AS b USING (quantity)",
    "ARRAY(...)": "SELECT ARRAY(SELECT a.order_id FROM order_items AS a JOIN order_items AS b USING (quantity))",
    "JSON_ARRAYAGG": "SELECT JSON_ARRAYAGG(a.order_id) FROM order_items AS a JOIN order_items AS b USING (quantity)",
    "copies of a CTE": "WITH c AS NOT MATERIALIZED (SELECT sku FROM products) SELECT a.sku FROM c AS a, c AS b",
    "many joins": "SELECT 1 FROM stores AS s " + " ".join(f"JOIN stores AS s{n} USING (store_id)" for n in range(20)),
    "in a CTE": "WITH c AS (SELECT string_agg(sku, ',') AS s FROM products) SELECT length(s) FROM c",
}


@pytest.mark.parametrize("sql", _COLLECTING.values(), ids=_COLLECTING)
def test_a_statement_whose_memory_nothing_bounds_is_known_as_one(sql: str) -> None:
    assert analyse(sql).collects


def test_a_statement_that_only_sums_is_not_taken_for_one_that_collects() -> None:
    assert not analyse("SELECT store_id, sum(total_amount), rank() OVER (ORDER BY 1) FROM orders GROUP BY 1").collects


async def test_a_statement_that_collects_gets_three_seconds_and_bounded_memory(
    application: Application, database: Database, scope: Callable[..., TenantScope]
) -> None:
    """PostgreSQL has no limit of its own here: without ours this one takes gigabytes."""
    sql = "SELECT json_agg(a.*) FROM order_items AS a JOIN order_items AS b USING (store_id)"
    with pytest.raises(QueryTimeoutError, match="limit of 3 seconds"):
        await _run(application, sql, scope())


@pytest.mark.parametrize("sql", _ENDLESS.values(), ids=_ENDLESS)
async def test_an_endless_statement_ends_at_its_limit_with_its_memory_bounded(
    sql: str, short: Application, database: Database, scope: Callable[..., TenantScope]
) -> None:
    assert isinstance(decide(analyse(sql)), Allowed), "this test is about what the policy lets through"
    peak = 0

    async def watch() -> None:
        nonlocal peak
        while True:
            for process in _backends(database):
                try:
                    peak = max(peak, process.memory_full_info().uss)
                except psutil.Error:
                    continue
            await asyncio.sleep(0.1)

    watching = asyncio.ensure_future(watch())
    started = time.monotonic()
    try:
        with pytest.raises(QueryTimeoutError, match="limit of 1 second"):
            await _run(short, sql, scope())
    finally:
        watching.cancel()
    assert time.monotonic() - started < _LIMIT_SECONDS + 3
    assert 0 < peak < _MEMORY_BYTES
    assert (await _run(short, "SELECT count(*) FROM stores", scope())).rows == ((8,),), "its connection is free again"


_LARGE = {
    "ten million rows": "SELECT a.order_id FROM order_items AS a, generate_series(1, 10000) AS g",
    "half a gigabyte of text": (
        "SELECT repeat(p.product_description, 50) FROM products AS p, generate_series(1, 2000) AS g"
    ),
    "wide rows": "SELECT to_jsonb(i), to_jsonb(o), o, i FROM order_items AS i JOIN orders AS o USING (order_id)",
    "nested arrays": "SELECT array_agg(ARRAY[order_item_id, order_id]) FROM order_items",
}


@pytest.mark.parametrize("sql", _LARGE.values(), ids=_LARGE)
async def test_an_answer_too_large_is_cut_and_says_so_before_it_is_read(
    sql: str, short: Application, scope: Callable[..., TenantScope]
) -> None:
    before = psutil.Process().memory_info().rss
    result = await _run(short, sql, scope())
    assert result.truncated
    assert result.notice
    assert sum(len(str(row)) for row in result.rows) < 2 * 65_536
    assert psutil.Process().memory_info().rss - before < 100_000_000


async def test_a_principal_with_calls_running_gets_busy_and_others_do_not_wait_for_them(
    database: Database, short: Application, scope: Callable[..., TenantScope]
) -> None:
    """The other tenants' p95 while one sends five endless statements at a time, against their p95 alone."""
    hostile = TenantScope(scope("seattle").store_ids, "ee" * 32)
    others = [TenantScope(scope(slug).store_ids, f"{number:064x}") for number, slug in enumerate(("tacoma", "everett"))]
    refusals: list[MCPError] = []

    async def attack(until: float) -> None:
        while time.monotonic() < until:
            try:
                await _run(short, _ENDLESS["product of two tables"], hostile)
            except BusyError as problem:
                refusals.append(problem)
                await asyncio.sleep(0.05)
            except DatabaseError as problem:
                refusals.append(problem)

    async def honest(scope: TenantScope, until: float) -> list[float]:
        times: list[float] = []
        while time.monotonic() < until:
            started = time.monotonic()
            await _run(short, "SELECT status, count(*), sum(total_amount) FROM orders GROUP BY status", scope)
            times.append(time.monotonic() - started)
            await asyncio.sleep(0.01)
        return times

    async def p95(until: float) -> float:
        series = await asyncio.gather(*(honest(scope, until) for scope in others))
        return statistics.quantiles([seconds for times in series for seconds in times], n=20)[-1]

    await p95(time.monotonic() + 0.5)
    idle = await p95(time.monotonic() + 1.5)
    until = time.monotonic() + 3
    attacks = [asyncio.ensure_future(attack(until)) for _ in range(5)]
    disturbed = await p95(until)
    await asyncio.gather(*attacks)
    assert {type(problem) for problem in refusals} == {BusyError, QueryTimeoutError}
    # benchmarks/under_attack.py measures it; the bound here only catches a wall that is gone: this machine may be busy.
    assert disturbed < 10 * idle, f"idle p95 {idle * 1e3:.1f} ms, disturbed {disturbed * 1e3:.1f} ms"


async def test_a_connection_is_free_again_at_its_deadline_whatever_the_caller_does(
    short: Application, database: Database, scope: Callable[..., TenantScope]
) -> None:
    running = [
        asyncio.ensure_future(_run(short, _ENDLESS["three series"], TenantScope(scope().store_ids, f"{number:064x}")))
        for number in range(database.settings.postgres_reader_pool_max)
    ]
    await asyncio.sleep(0.3)
    for call in running:
        call.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    superuser = await database.superuser()
    try:
        assert (await _run(short, "SELECT count(*) FROM stores", scope())).rows == ((8,),)
        still = await superuser.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = $1 AND query LIKE '%generate_series%' AND state = 'active' "
            "AND pid <> pg_backend_pid()",
            database.name,
        )
        assert still == 0
    finally:
        await superuser.close()
