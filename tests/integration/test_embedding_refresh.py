"""The refresh on a real database: what is stale, what one run leaves behind, and which model it serves."""

from __future__ import annotations

import asyncio
import dataclasses

import asyncpg
import pytest

from tests.azure_standins import refresh_parts
from tests.azure_standins.openai_service import DEPLOYMENT, OpenAIService, error
from tests.azure_standins.refresh_parts import OTHER, Refreshes, add_product, count_products, hashes
from zava.data.embedding_lease import RunFigures
from zava.errors import QueryRefusedError

openai, refreshes, sql = refresh_parts.openai, refresh_parts.refreshes, refresh_parts.sql  # fixtures


async def test_every_product_gets_a_vector_of_its_text_with_one_request_and_a_second_run_asks_nothing(
    refreshes: Refreshes, openai: OpenAIService, sql: asyncpg.Connection
) -> None:
    products = await count_products(sql)
    first = await refreshes.run()
    asked = openai.accepted[0]
    assert (first.outcome, first.problem) == ("completed", None)
    assert first.figures == RunFigures(products, products, 0, 1, asked.tokens)
    assert "Hammers & Striking Tools: 16 oz Curved-Claw Hammer, Hickory Handle\nHanging pictures" in "".join(
        asked.texts
    )
    second = await refreshes.run()
    assert (second.outcome, second.figures, openai.attempts) == ("completed", RunFigures(seen=products), 1)
    assert len(await hashes(sql)) == products


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
    before = await hashes(sql)
    await sql.execute(change)
    report = await refreshes.run()
    after = await hashes(sql)
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
    await add_product(sql, "GONE", "", "")
    await refreshes.run()
    assert await sql.fetchval("SELECT count(*) FROM zava.refused_text") == 1
    await sql.execute("DELETE FROM retail.inventory; DELETE FROM retail.order_items")
    await sql.execute("DELETE FROM retail.products WHERE sku IN ('GONE', 'HT-HAM-001')")
    assert await sql.fetchval("SELECT count(*) FROM zava.refused_text") == 0
    assert "HT-HAM-001" not in await hashes(sql)
    assert len(await hashes(sql)) == await count_products(sql)


async def test_poisoned_texts_are_recorded_with_their_reason_and_not_tried_again_until_they_change(
    refreshes: Refreshes, openai: OpenAIService, sql: asyncpg.Connection
) -> None:
    openai.faults.refused_word = "forbidden"
    await add_product(sql, "EMPTY", " ", "\n")
    await add_product(sql, "HUGE", "Huge", "x" * 50_000)
    await add_product(sql, "LONG", "Long", "word " * 7_990)
    await add_product(sql, "BAD", "A forbidden word", "Fine otherwise.")
    products = await count_products(sql)
    report = await refreshes.run()
    assert (report.outcome, report.figures.refused, report.figures.embedded) == ("completed", 4, products - 4)
    reasons = await sql.fetch(
        "SELECT sku, reason FROM zava.refused_text JOIN retail.products USING (product_id) ORDER BY 1"
    )
    assert [tuple(row) for row in reasons] == [
        ("BAD", "The input was refused."),
        ("EMPTY", "there is no text"),
        ("HUGE", "the text is longer than 40000 characters"),
        ("LONG", "This model's maximum context length is 8192 tokens."),
    ]
    attempts = openai.attempts
    assert (await refreshes.run()).figures == RunFigures(seen=products)
    assert openai.attempts == attempts
    await sql.execute("UPDATE retail.products SET product_name = 'A word' WHERE sku = 'BAD'")
    assert (await refreshes.run()).figures.embedded == 1
    assert await sql.fetchval("SELECT count(*) FROM zava.refused_text") == 3


async def test_a_text_that_turns_bad_loses_the_vector_of_the_text_before(
    refreshes: Refreshes, openai: OpenAIService, sql: asyncpg.Connection
) -> None:
    await refreshes.run()
    openai.faults.refused_word = "forbidden"
    await sql.execute("UPDATE retail.products SET product_description = 'forbidden' WHERE sku = 'HT-HAM-001'")
    assert (await refreshes.run()).figures.refused == 1
    assert "HT-HAM-001" not in await hashes(sql)


async def test_a_deployment_that_refuses_everything_condemns_nothing(
    refreshes: Refreshes, openai: OpenAIService, sql: asyncpg.Connection
) -> None:
    openai.faults.always = error(400, None, "This model does not support specifying dimensions.")
    report = await refreshes.run()
    assert report.outcome == "failed"
    assert report.problem is not None
    assert report.problem.startswith("every text is refused")
    assert await sql.fetchval("SELECT count(*) FROM zava.refused_text") == 0


async def test_in_a_database_without_a_model_search_uses_the_first_that_embeds_it(
    refreshes: Refreshes, sql: asyncpg.Connection
) -> None:
    await sql.execute("DELETE FROM zava.active_embedding_model; DELETE FROM retail.product_description_embeddings")
    report = await refreshes.run(model=None)
    assert (report.model, report.outcome) == (DEPLOYMENT, "completed")
    assert await sql.fetchval("SELECT embedding_model FROM zava.active_embedding_model") == DEPLOYMENT


async def test_a_run_that_cannot_name_the_first_model_gives_its_lease_back(
    refreshes: Refreshes, sql: asyncpg.Connection
) -> None:
    await sql.execute("DELETE FROM zava.active_embedding_model")
    await sql.execute("REVOKE INSERT ON zava.active_embedding_model FROM zava_app")
    with pytest.raises(QueryRefusedError):
        await refreshes.run(model=None)
    assert await sql.fetchval("SELECT count(*) FROM zava.embedding_lease") == 0
    assert await sql.fetchval("SELECT outcome FROM zava.embedding_run ORDER BY run_id DESC LIMIT 1") == "failed"


async def test_a_refresh_without_a_model_named_keeps_the_one_that_search_uses_fresh(
    refreshes: Refreshes, openai: OpenAIService, sql: asyncpg.Connection
) -> None:
    assert await sql.fetchval("SELECT embedding_model FROM zava.active_embedding_model") == "hash-384"
    await sql.execute("UPDATE retail.products SET product_name = 'New name' WHERE sku = 'HT-HAM-001'")
    report = await refreshes.run(model=None)
    assert (report.model, report.figures.embedded, openai.attempts) == ("hash-384", 1, 0)


async def test_two_models_stand_side_by_side_and_the_refresh_of_one_does_not_wait_for_the_other(
    refreshes: Refreshes, sql: asyncpg.Connection
) -> None:
    one, other = await asyncio.gather(refreshes.run(), refreshes.run(model=OTHER))
    assert (one.outcome, other.outcome) == ("completed", "completed")
    assert await hashes(sql) == await hashes(sql, OTHER)
