"""The SQL function that searches vectors, and the index it is written for."""

from __future__ import annotations

import math
from array import array
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pgvector.asyncpg import register_vector

from tests.conftest import Database
from zava.data.embedding_models import build_index, remove_model
from zava.data.vectors import column_vector

MODEL = "hash-384"
CALL = "SELECT product_id, similarity FROM retail.search_products_by_description($1, $2, $3)"


@pytest.fixture
async def sql(fresh_database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await fresh_database.superuser()
    await register_vector(connection)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def shared(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """The same in a database that is only read."""
    connection = await database.superuser()
    await register_vector(connection)
    yield connection
    await connection.close()


async def _one_vector(sql: asyncpg.Connection) -> object:
    return await sql.fetchval(
        """SELECT description_embedding FROM retail.product_description_embeddings AS e
           JOIN retail.products AS p USING (product_id) WHERE sku = 'HT-HAM-001' AND embedding_model = $1""",
        MODEL,
    )


async def _truth(sql: asyncpg.Connection, vector: object, least: float, most: int) -> list[tuple[object, float]]:
    rows = await sql.fetch(
        """SELECT product_id, 1 - (description_embedding <=> $1) FROM retail.product_description_embeddings
           WHERE embedding_model = $2 AND 1 - (description_embedding <=> $1) >= $3
           ORDER BY 2 DESC, product_id LIMIT $4""",
        vector,
        MODEL,
        least,
        most,
    )
    return [(row[0], row[1]) for row in rows]


@pytest.mark.parametrize(("least", "most"), [(0.3, 20), (-1.0, 7), (0.99, 20), (0.0, 200)])
async def test_it_gives_the_nearest_products_of_the_active_model_above_the_threshold(
    least: float, most: int, shared: asyncpg.Connection
) -> None:
    vector = await _one_vector(shared)
    found = [(row[0], row[1]) for row in await shared.fetch(CALL, vector, least, most)]
    assert found == await _truth(shared, vector, least, most)
    assert found[0][1] == pytest.approx(1.0)


async def test_it_never_gives_more_than_two_hundred(shared: asyncpg.Connection) -> None:
    assert len(await shared.fetch(CALL, await _one_vector(shared), -1.0, 100_000)) == 200


async def test_another_model_can_be_named_and_has_no_part_in_the_first_ones_answers(sql: asyncpg.Connection) -> None:
    await sql.execute(
        """INSERT INTO retail.product_description_embeddings
           SELECT product_id, 'other', description_embedding * array_fill(-1, ARRAY[1536])::vector, content_hash
           FROM retail.product_description_embeddings WHERE embedding_model = 'hash-384'"""
    )
    vector = await _one_vector(sql)
    before = await _truth(sql, vector, 0.3, 20)
    assert [(row[0], row[1]) for row in await sql.fetch(CALL, vector, 0.3, 20)] == before
    others = await sql.fetch(CALL.replace("$3)", "$3, 'other')"), vector, 0.3, 20)
    assert others == []


async def test_the_index_serves_the_function_and_changes_no_answer(
    fresh_database: Database, sql: asyncpg.Connection
) -> None:
    vector = await _one_vector(sql)
    exact = [(row[0], row[1]) for row in await sql.fetch(CALL, vector, 0.2, 20)]
    await build_index(fresh_database.administrator, MODEL)
    name = await sql.fetchval("SELECT retail.embedding_index_name($1)", MODEL)
    # So few rows are read and sorted faster than by this index, whatever statistics say of them.
    await sql.execute("SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off")
    found = [(row[0], row[1]) for row in await sql.fetch(CALL, vector, 0.2, 20)]
    assert found == exact
    await sql.execute("SELECT pg_stat_force_next_flush()")
    scans = await sql.fetchval("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = $1", name)
    assert scans == 1


async def test_an_index_that_was_left_half_built_is_made_anew(
    fresh_database: Database, sql: asyncpg.Connection
) -> None:
    await build_index(fresh_database.administrator, MODEL)
    name = await sql.fetchval("SELECT retail.embedding_index_name($1)", MODEL)
    await sql.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = ('retail.' || $1)::regclass", name)
    assert await sql.fetch(CALL, await _one_vector(sql), 0.3, 20)
    await build_index(fresh_database.administrator, MODEL)
    assert await sql.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = ('retail.' || $1)::regclass", name)


async def test_a_model_in_use_is_not_removed_and_another_one_leaves_nothing(
    fresh_database: Database, sql: asyncpg.Connection
) -> None:
    with pytest.raises(ValueError, match="search uses hash-384"):
        await remove_model(fresh_database.administrator, MODEL)
    await sql.execute("UPDATE zava.active_embedding_model SET embedding_model = 'another'")
    await build_index(fresh_database.administrator, MODEL)
    assert await remove_model(fresh_database.administrator, MODEL) > 400
    assert await sql.fetchval("SELECT count(*) FROM retail.product_description_embeddings") == 0
    assert await sql.fetchval("SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'embeddings\\_%'") == 0


async def test_a_model_with_a_quote_in_its_name_is_only_a_name(
    fresh_database: Database, sql: asyncpg.Connection
) -> None:
    strange = "it's; DROP TABLE retail.products; --"
    await build_index(fresh_database.administrator, strange)
    vector = column_vector(array("f", [math.pi]))
    assert await sql.fetch("SELECT * FROM retail.search_products_by_description($1, 0, 5, $2)", vector, strange) == []


async def test_the_logins_may_call_it_and_nobody_else(shared: asyncpg.Connection) -> None:
    rows = await shared.fetch(
        """SELECT r.rolname, has_function_privilege(r.oid, p.oid, 'EXECUTE') FROM pg_roles AS r, pg_proc AS p
           WHERE r.rolname IN ('zava_reader', 'zava_app', 'zava_guard', 'pg_monitor')
             AND p.proname = 'search_products_by_description' ORDER BY 1"""
    )
    assert {row[0]: row[1] for row in rows} == {
        "pg_monitor": False,
        "zava_app": True,
        "zava_guard": False,
        "zava_reader": True,
    }
