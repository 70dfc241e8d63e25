"""Refreshes that meet each other, lose their lease, are throttled, or run out of time."""

from __future__ import annotations

import asyncio
import time
from array import array
from uuid import UUID

import asyncpg
import pytest

from tests.azure_standins import refresh_parts
from tests.azure_standins.http_server import Reply
from tests.azure_standins.openai_service import DEPLOYMENT, OpenAIService, error, throttled
from tests.azure_standins.refresh_parts import Refreshes, add_product, count_products, hashes
from zava.data.embedding_lease import EmbeddingLeases, LeaseLostError, RunFigures
from zava.data.embedding_store import EmbeddingStore

openai, refreshes, sql = refresh_parts.openai, refresh_parts.refreshes, refresh_parts.sql  # fixtures


async def test_two_instances_that_start_together_do_the_work_once(
    refreshes: Refreshes, openai: OpenAIService, sql: asyncpg.Connection
) -> None:
    reports = await asyncio.gather(*(refreshes.instance().run(model=DEPLOYMENT) for _ in range(2)))
    assert sorted(report.outcome for report in reports) == ["busy", "completed"]
    assert (openai.attempts, len(await hashes(sql))) == (1, await count_products(sql))
    assert await sql.fetchval("SELECT count(*) FROM zava.embedding_run WHERE embedding_model = $1", DEPLOYMENT) == 1


async def test_a_run_that_was_taken_for_dead_writes_nothing_and_frees_nothing(
    refreshes: Refreshes, sql: asyncpg.Connection
) -> None:
    store = EmbeddingStore(refreshes.pools)
    dead = await EmbeddingLeases(refreshes.pools, seconds=0).take(DEPLOYMENT)
    other = await EmbeddingLeases(refreshes.pools).take(DEPLOYMENT)
    assert dead is not None
    assert other is not None
    assert other.run_id > dead.run_id
    products = await store.stale_texts(DEPLOYMENT, UUID(int=0), 2)
    vectors = [(product, array("f", [1.0] * 8)) for product in products]
    with pytest.raises(LeaseLostError):
        await store.save(dead, DEPLOYMENT, vectors, [])
    with pytest.raises(LeaseLostError):
        await EmbeddingLeases(refreshes.pools).extend(dead)
    await EmbeddingLeases(refreshes.pools).end(dead, "failed", RunFigures(), "too late")
    assert await hashes(sql) == {}
    assert await sql.fetchval("SELECT run_id FROM zava.embedding_lease") == other.run_id
    outcomes = await sql.fetch(
        "SELECT outcome FROM zava.embedding_run WHERE embedding_model = $1 ORDER BY run_id", DEPLOYMENT
    )
    assert [row[0] for row in outcomes] == ["abandoned", None]
    await store.save(other, DEPLOYMENT, vectors, [])
    assert len(await hashes(sql)) == 2


async def test_a_refresh_whose_lease_is_taken_while_it_waits_says_so_and_stops(
    refreshes: Refreshes, openai: OpenAIService, sql: asyncpg.Connection
) -> None:
    openai.faults.script.append(throttled(retry_after_ms="400"))
    running_one = asyncio.ensure_future(refreshes.instance(lease_seconds=0.1).run(model=DEPLOYMENT))
    while await sql.fetchval("SELECT count(*) FROM zava.embedding_lease WHERE holds_until < now()") == 0:
        await asyncio.sleep(0.02)
    second = await refreshes.run()
    first = await running_one
    assert (second.outcome, second.figures.embedded) == ("completed", await count_products(sql))
    assert (first.outcome, first.figures.embedded) == ("failed", 0)
    assert first.problem is not None
    assert "was taken for dead" in first.problem


async def test_a_throttled_service_is_waited_for_as_long_as_it_says(
    refreshes: Refreshes, openai: OpenAIService, sql: asyncpg.Connection
) -> None:
    openai.faults.script.append(throttled(retry_after_ms="300"))
    started = time.monotonic()
    report = await refreshes.run()
    assert (report.outcome, report.figures.requests) == ("completed", 2)
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        pytest.param(throttled(retry_after="3000"), "stopped", id="the quota is used up for an hour"),
        pytest.param(error(401, "401", "Access denied", retry_after="100"), "failed", id="not let in"),
    ],
)
async def test_a_service_that_stays_away_ends_the_run_and_the_next_one_goes_on(
    fault: Reply, outcome: str, refreshes: Refreshes, openai: OpenAIService, sql: asyncpg.Connection
) -> None:
    openai.faults.always = fault
    report = await refreshes.run()
    assert (report.outcome, report.figures.embedded, openai.attempts) == (outcome, 0, 1)
    openai.faults.always = None
    assert (await refreshes.run()).figures.embedded == await count_products(sql)


async def test_no_batch_is_begun_when_the_time_is_over(refreshes: Refreshes, openai: OpenAIService) -> None:
    report = await refreshes.run(seconds=0)
    assert (report.outcome, report.problem, openai.attempts) == ("stopped", "its time was over", 0)


async def test_a_product_deleted_while_its_batch_is_embedded_is_left_out(
    refreshes: Refreshes, sql: asyncpg.Connection
) -> None:
    store = EmbeddingStore(refreshes.pools)
    lease = await EmbeddingLeases(refreshes.pools).take(DEPLOYMENT)
    assert lease is not None
    await add_product(sql, "GONE", "Soon gone", "Very soon.")
    products = await store.stale_texts(DEPLOYMENT, UUID(int=0), 10_000)
    await sql.execute("DELETE FROM retail.products WHERE sku = 'GONE'")
    await store.save(lease, DEPLOYMENT, [(product, array("f", [1.0] * 8)) for product in products], [])
    assert len(await hashes(sql)) == len(products) - 1
