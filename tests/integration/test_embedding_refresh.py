"""The refresh on a real database: what is stale, what one run leaves behind, and who may run at a time."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from array import array
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.azure_standins.http_server import Reply
from tests.azure_standins.openai_service import DEPLOYMENT, OpenAIService, azure_embedders, error, running, throttled
from tests.conftest import Database
from zava.data.embedding_lease import EmbeddingLeases, LeaseLostError, RunFigures
from zava.data.embedding_models import EmbeddingModels
from zava.data.embedding_store import EmbeddingStore
from zava.data.pools import Pools
from zava.platform.embedders.choice import Embedders
from zava.services.embedding_refresh import EmbeddingRefresh, RefreshReport

OTHER = "text-embedding-3-large"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIService]:
    with running(tmp_path, monkeypatch, DEPLOYMENT, OTHER) as service:
        yield service


class Refreshes:
    """Runs refreshes of one database as instances of the app would, each with parts of its own."""

    def __init__(self, database: Database) -> None:
        self._settings = database.settings
        self._made: list[Embedders] = []
        self.pools = Pools(self._settings)

    def instance(self, lease_seconds: float = 150.0) -> EmbeddingRefresh:
        embedders = azure_embedders(self._settings)
        self._made.append(embedders)
        return EmbeddingRefresh(
            EmbeddingStore(self.pools),
            EmbeddingLeases(self.pools, lease_seconds),
            EmbeddingModels(self.pools),
            embedders,
        )

    async def close(self) -> None:
        for embedders in self._made:
            await embedders.close()
        await self.pools.close()

    async def run(self, **options: Any) -> RefreshReport:
        return await self.instance().run(**{"model": DEPLOYMENT} | options)


@pytest.fixture
async def refreshes(fresh_database: Database, service: OpenAIService) -> AsyncIterator[Refreshes]:
    refreshes = Refreshes(fresh_database)
    yield refreshes
    await refreshes.close()


@pytest.fixture
async def sql(fresh_database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await fresh_database.superuser()
    yield connection
    await connection.close()


async def _products(sql: asyncpg.Connection) -> int:
    return await sql.fetchval("SELECT count(*) FROM retail.products")


async def _hashes(sql: asyncpg.Connection, model: str = DEPLOYMENT) -> dict[str, str]:
    rows = await sql.fetch(
        """SELECT p.sku, e.content_hash FROM retail.product_description_embeddings AS e
           JOIN retail.products AS p USING (product_id) WHERE e.embedding_model = $1""",
        model,
    )
    return {row[0]: row[1] for row in rows}


async def test_every_product_gets_a_vector_of_its_text_with_one_request_and_a_second_run_asks_nothing(
    refreshes: Refreshes, service: OpenAIService, sql: asyncpg.Connection
) -> None:
    products = await _products(sql)
    first = await refreshes.run()
    asked = service.accepted[0]
    assert (first.outcome, first.problem) == ("completed", None)
    assert first.figures == RunFigures(products, products, 0, 1, asked.tokens)
    assert "Hammers & Striking Tools: 16 oz Curved-Claw Hammer, Hickory Handle\nHanging pictures" in "".join(asked.texts)
    second = await refreshes.run()
    assert (second.outcome, second.figures, service.attempts) == ("completed", RunFigures(seen=products), 1)
    assert len(await _hashes(sql)) == products


async def test_each_run_leaves_a_record_and_no_lease(refreshes: Refreshes, sql: asyncpg.Connection) -> None:
    report = await refreshes.run()
    row = await sql.fetchrow("SELECT * FROM zava.embedding_run WHERE embedding_model = $1", DEPLOYMENT)
    assert row is not None
    recorded = RunFigures(*(row[field.name] for field in dataclasses.fields(RunFigures)))
    assert (row["outcome"], row["problem"], recorded) == ("completed", None, report.figures)
    assert row["finished_at"] >= row["started_at"]
    assert await sql.fetchval("SELECT count(*) FROM zava.embedding_lease") == 0


CHANGES = {
    "its name": "UPDATE retail.products SET product_name = product_name || ', New' WHERE sku = 'HT-HAM-001'",
    "its text": "UPDATE retail.products SET product_description = 'Other words.' WHERE sku = 'HT-HAM-001'",
    "the name of its type": """UPDATE retail.product_types SET type_name = 'Hammer'
        WHERE type_id = (SELECT type_id FROM retail.products WHERE sku = 'HT-HAM-001')""",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_changing_what_is_embedded_makes_the_row_stale(
    change: str, refreshes: Refreshes, sql: asyncpg.Connection
) -> None:
    await refreshes.run()
    before = await _hashes(sql)
    await sql.execute(change)
    report = await refreshes.run()
    after = await _hashes(sql)
    changed = {sku for sku in after if after[sku] != before[sku]}
    assert "HT-HAM-001" in changed
    assert (report.figures.embedded, report.figures.requests) == (len(changed), 1)


async def test_changing_the_price_makes_nothing_stale(refreshes: Refreshes, sql: asyncpg.Connection) -> None:
    await refreshes.run()
    await sql.execute("UPDATE retail.products SET base_price = base_price + 1, updated_at = now()")
    assert (await refreshes.run()).figures.embedded == 0


async def test_deleting_a_product_deletes_its_vectors_and_its_refusal(
    refreshes: Refreshes, sql: asyncpg.Connection
) -> None:
    await _add_product(sql, "GONE", "", "")
    await refreshes.run()
    assert await sql.fetchval("SELECT count(*) FROM zava.refused_text") == 1
    await sql.execute("DELETE FROM retail.inventory; DELETE FROM retail.order_items")
    await sql.execute("DELETE FROM retail.products WHERE sku IN ('GONE', 'HT-HAM-001')")
    assert await sql.fetchval("SELECT count(*) FROM zava.refused_text") == 0
    assert "HT-HAM-001" not in await _hashes(sql)
    assert len(await _hashes(sql)) == await _products(sql)


async def _add_product(sql: asyncpg.Connection, sku: str, name: str, description: str) -> None:
    await sql.execute(
        """INSERT INTO retail.products (product_id, sku, product_name, category_id, type_id, cost, base_price,
                                        gross_margin_percent, product_description)
           SELECT gen_random_uuid(), $1, $2, category_id, type_id, 1, 2, 50, $3 FROM retail.product_types LIMIT 1""",
        sku,
        name,
        description,
    )


async def test_poisoned_texts_are_recorded_with_their_reason_and_not_tried_again_until_they_change(
    refreshes: Refreshes, service: OpenAIService, sql: asyncpg.Connection
) -> None:
    service.faults.refused_word = "forbidden"
    await _add_product(sql, "EMPTY", " ", "\n")
    await _add_product(sql, "HUGE", "Huge", "x" * 50_000)
    await _add_product(sql, "LONG", "Long", "word " * 7_990)
    await _add_product(sql, "BAD", "A forbidden word", "Fine otherwise.")
    products = await _products(sql)
    report = await refreshes.run()
    assert (report.outcome, report.figures.refused, report.figures.embedded) == ("completed", 4, products - 4)
    reasons = await sql.fetch("SELECT sku, reason FROM zava.refused_text JOIN retail.products USING (product_id) ORDER BY 1")
    assert [tuple(row) for row in reasons] == [
        ("BAD", "The input was refused."),
        ("EMPTY", "there is no text"),
        ("HUGE", "the text is longer than 40000 characters"),
        ("LONG", "This model's maximum context length is 8192 tokens."),
    ]
    attempts = service.attempts
    assert (await refreshes.run()).figures == RunFigures(seen=products)
    assert service.attempts == attempts
    await sql.execute("UPDATE retail.products SET product_name = 'A word' WHERE sku = 'BAD'")
    assert (await refreshes.run()).figures.embedded == 1
    assert await sql.fetchval("SELECT count(*) FROM zava.refused_text") == 3


async def test_a_text_that_turns_bad_loses_the_vector_of_the_text_before(
    refreshes: Refreshes, service: OpenAIService, sql: asyncpg.Connection
) -> None:
    await refreshes.run()
    service.faults.refused_word = "forbidden"
    await sql.execute("UPDATE retail.products SET product_description = 'forbidden' WHERE sku = 'HT-HAM-001'")
    assert (await refreshes.run()).figures.refused == 1
    assert "HT-HAM-001" not in await _hashes(sql)


async def test_a_deployment_that_refuses_everything_condemns_nothing(
    refreshes: Refreshes, service: OpenAIService, sql: asyncpg.Connection
) -> None:
    service.faults.always = error(400, None, "This model does not support specifying dimensions.")
    report = await refreshes.run()
    assert report.outcome == "failed"
    assert report.problem is not None
    assert report.problem.startswith("every text is refused")
    assert await sql.fetchval("SELECT count(*) FROM zava.refused_text") == 0


async def test_two_instances_that_start_together_do_the_work_once(
    refreshes: Refreshes, service: OpenAIService, sql: asyncpg.Connection
) -> None:
    reports = await asyncio.gather(*(refreshes.instance().run(model=DEPLOYMENT) for _ in range(2)))
    assert sorted(report.outcome for report in reports) == ["busy", "completed"]
    assert (service.attempts, len(await _hashes(sql))) == (1, await _products(sql))
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
    assert await _hashes(sql) == {}
    assert await sql.fetchval("SELECT run_id FROM zava.embedding_lease") == other.run_id
    outcomes = await sql.fetch("SELECT outcome FROM zava.embedding_run WHERE embedding_model = $1 ORDER BY run_id", DEPLOYMENT)
    assert [row[0] for row in outcomes] == ["abandoned", None]
    await store.save(other, DEPLOYMENT, vectors, [])
    assert len(await _hashes(sql)) == 2


async def test_a_refresh_whose_lease_is_taken_while_it_waits_says_so_and_stops(
    refreshes: Refreshes, service: OpenAIService, sql: asyncpg.Connection
) -> None:
    service.faults.script.append(throttled(retry_after_ms="400"))
    running_one = asyncio.ensure_future(refreshes.instance(lease_seconds=0.1).run(model=DEPLOYMENT))
    while await sql.fetchval("SELECT count(*) FROM zava.embedding_lease WHERE holds_until < now()") == 0:
        await asyncio.sleep(0.02)
    second = await refreshes.run()
    first = await running_one
    assert (second.outcome, second.figures.embedded) == ("completed", await _products(sql))
    assert (first.outcome, first.figures.embedded) == ("failed", 0)
    assert first.problem is not None
    assert "was taken for dead" in first.problem


async def test_a_throttled_service_is_waited_for_as_long_as_it_says(
    refreshes: Refreshes, service: OpenAIService, sql: asyncpg.Connection
) -> None:
    service.faults.script.append(throttled(retry_after_ms="300"))
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
    fault: Reply, outcome: str, refreshes: Refreshes, service: OpenAIService, sql: asyncpg.Connection
) -> None:
    service.faults.always = fault
    report = await refreshes.run()
    assert (report.outcome, report.figures.embedded, service.attempts) == (outcome, 0, 1)
    service.faults.always = None
    assert (await refreshes.run()).figures.embedded == await _products(sql)


async def test_no_batch_is_begun_when_the_time_is_over(refreshes: Refreshes, service: OpenAIService) -> None:
    report = await refreshes.run(seconds=0)
    assert (report.outcome, report.problem, service.attempts) == ("stopped", "its time was over", 0)


async def test_a_product_deleted_while_its_batch_is_embedded_is_left_out(
    refreshes: Refreshes, sql: asyncpg.Connection
) -> None:
    store = EmbeddingStore(refreshes.pools)
    lease = await EmbeddingLeases(refreshes.pools).take(DEPLOYMENT)
    assert lease is not None
    await _add_product(sql, "GONE", "Soon gone", "Very soon.")
    products = await store.stale_texts(DEPLOYMENT, UUID(int=0), 10_000)
    await sql.execute("DELETE FROM retail.products WHERE sku = 'GONE'")
    await store.save(lease, DEPLOYMENT, [(product, array("f", [1.0] * 8)) for product in products], [])
    assert len(await _hashes(sql)) == len(products) - 1


async def test_in_a_database_without_a_model_search_uses_the_first_that_embeds_it(
    refreshes: Refreshes, sql: asyncpg.Connection
) -> None:
    await sql.execute("DELETE FROM zava.active_embedding_model; DELETE FROM retail.product_description_embeddings")
    report = await refreshes.run(model=None)
    assert (report.model, report.outcome) == (DEPLOYMENT, "completed")
    assert await sql.fetchval("SELECT embedding_model FROM zava.active_embedding_model") == DEPLOYMENT


async def test_a_refresh_without_a_model_named_keeps_the_one_that_search_uses_fresh(
    refreshes: Refreshes, service: OpenAIService, sql: asyncpg.Connection
) -> None:
    assert await sql.fetchval("SELECT embedding_model FROM zava.active_embedding_model") == "hash-384"
    await sql.execute("UPDATE retail.products SET product_name = 'New name' WHERE sku = 'HT-HAM-001'")
    report = await refreshes.run(model=None)
    assert (report.model, report.figures.embedded, service.attempts) == ("hash-384", 1, 0)


async def test_two_models_stand_side_by_side_and_the_refresh_of_one_does_not_wait_for_the_other(
    refreshes: Refreshes, sql: asyncpg.Connection
) -> None:
    one, other = await asyncio.gather(refreshes.run(), refreshes.run(model=OTHER))
    assert (one.outcome, other.outcome) == ("completed", "completed")
    assert await _hashes(sql) == await _hashes(sql, OTHER)
