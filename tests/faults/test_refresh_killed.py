"""Refreshes as processes: killed in the middle, started together, and sent home."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.azure_standins.openai_service import DEPLOYMENT, ENDPOINT, OpenAIService, running
from tests.conftest import Database

PROJECT = Path(__file__).resolve().parents[2]
BATCH = 2_048


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIService]:
    with running(tmp_path, monkeypatch) as service:
        yield service


@pytest.fixture
async def sql(fresh_database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A catalogue of 5 000 products, so three batches, and no vectors."""
    connection = await fresh_database.superuser()
    await connection.execute(
        "DELETE FROM zava.active_embedding_model; DELETE FROM retail.product_description_embeddings"
    )
    await connection.execute(
        """INSERT INTO retail.products (product_id, sku, product_name, category_id, type_id, cost, base_price,
                                        gross_margin_percent, product_description)
           SELECT gen_random_uuid(), 'MORE-' || n, 'Product ' || n, category_id, type_id, 1, 2, 50, 'Text ' || n
           FROM generate_series(1, 5000 - (SELECT count(*)::int FROM retail.products)) AS n,
                (SELECT category_id, type_id FROM retail.product_types LIMIT 1) AS kind"""
    )
    yield connection
    await connection.close()


def _start(database: Database, service: OpenAIService) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.azure_standins.refresh_process", str(service.server.port)],
        cwd=PROJECT,
        env=os.environ | database.environment | {"EMBEDDER": "azure", "AZURE_OPENAI_ENDPOINT": ENDPOINT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _end(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, messages = process.communicate(timeout=60)
    return process.returncode, output + messages


async def _until_accepted(service: OpenAIService, requests: int) -> None:
    async with asyncio.timeout(60):
        while len(service.accepted) < requests:
            await asyncio.sleep(0.02)


async def _vectors(sql: asyncpg.Connection) -> int:
    return await sql.fetchval("SELECT count(*) FROM retail.product_description_embeddings") or 0


async def test_a_refresh_that_is_killed_keeps_its_batches_and_the_next_one_repeats_at_most_one(
    fresh_database: Database, service: OpenAIService, sql: asyncpg.Connection
) -> None:
    service.faults.script.extend(["ok", "swallow"])
    process = _start(fresh_database, service)
    await _until_accepted(service, 2)
    process.send_signal(signal.SIGKILL)
    _end(process)
    assert await _vectors(sql) == BATCH

    code, output = _end(_start(fresh_database, service))
    assert (code, "another refresh of this model is running" in output) == (3, True)
    await sql.execute("UPDATE zava.embedding_lease SET holds_until = now()")  # its 150 seconds are over

    code, output = _end(_start(fresh_database, service))
    assert (code, await _vectors(sql)) == (0, 5_000), output
    paid_twice = [text for text, times in Counter(t for a in service.accepted for t in a.texts).items() if times > 1]
    assert len(paid_twice) == BATCH  # the one whose answer never came; what was saved was not asked for again
    outcomes = await sql.fetch(
        "SELECT outcome FROM zava.embedding_run WHERE embedding_model = $1 ORDER BY run_id", DEPLOYMENT
    )
    assert [row[0] for row in outcomes] == ["abandoned", "completed"]


async def test_a_refresh_that_is_interrupted_frees_its_lease(
    fresh_database: Database, service: OpenAIService, sql: asyncpg.Connection
) -> None:
    service.faults.script.extend(["ok", "swallow"])
    process = _start(fresh_database, service)
    await _until_accepted(service, 2)
    process.send_signal(signal.SIGINT)
    assert _end(process) == (130, "Stopped; what was embedded is kept.\n")
    assert await sql.fetchval("SELECT count(*) FROM zava.embedding_lease") == 0
    record = await sql.fetchrow(
        "SELECT outcome, problem, embedded FROM zava.embedding_run WHERE embedding_model = $1", DEPLOYMENT
    )
    assert record is not None
    assert tuple(record) == ("failed", "it was ended by CancelledError", BATCH)
    assert _end(_start(fresh_database, service))[0] == 0
    assert await _vectors(sql) == 5_000


async def test_two_processes_that_start_together_do_the_work_once(
    fresh_database: Database, service: OpenAIService, sql: asyncpg.Connection
) -> None:
    ends = [_end(process) for process in [_start(fresh_database, service) for _ in range(2)]]
    # The slower one finds the other at work, or finished.
    assert sorted(code for code, _ in ends) in ([0, 3], [0, 0]), ends
    assert Counter(t for a in service.accepted for t in a.texts).most_common(1)[0][1] == 1
    assert (len(service.accepted), await _vectors(sql)) == (3, 5_000)
