"""The refresh and the change of models by hand, as an operator runs them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import Database
from zava.data import embedding_models
from zava.platform.embedders import minilm

PROJECT = Path(__file__).resolve().parents[2]
MINILM = "all-MiniLM-L6-v2"


def run(database: Database, *arguments: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "zava.services.embedding_refresh", *arguments],
        cwd=PROJECT,
        env=os.environ | database.environment | environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def _commands_of_the_page(**names: str) -> list[list[str]]:
    """The arguments in the lines of docs/search.md, with these names in them."""
    lines = re.findall(
        r"^python -m zava.services.embedding_refresh (.*)$", (PROJECT / "docs/search.md").read_text(), re.MULTILINE
    )
    return [[names.get(word, word) for word in shlex.split(line, comments=True)] for line in lines]


@pytest.fixture
async def sql(fresh_database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await fresh_database.superuser()
    yield connection
    await connection.close()


def test_help_tells_every_command(database: Database) -> None:
    code, output, _ = run(database, "--help")
    assert code == 0
    for command in ("--list", "--use NAME", "--index NAME", "--remove NAME", "POSTGRES_ADMIN_USER"):
        assert command in output


def test_a_refresh_with_nothing_to_do_says_so(database: Database) -> None:
    code, output, messages = run(database)
    assert (code, messages) == (0, "")
    assert output.startswith("hash-384: completed in ")
    assert "0 embedded, 0 refused, 0 requests, 0 tokens" in output


async def test_a_refresh_embeds_what_has_changed(fresh_database: Database, sql: asyncpg.Connection) -> None:
    await sql.execute("UPDATE retail.products SET product_name = 'New name' WHERE sku LIKE 'HT-HAM-%'")
    code, output, _ = run(fresh_database)
    assert (code, ", 7 embedded, " in output) == (0, True)


def test_missing_settings_are_listed(database: Database) -> None:
    code, output, messages = run(database, POSTGRES_HOST="", POSTGRES_SSLMODE="nonsense")
    assert (code, output) == (2, "")
    assert "POSTGRES_SSLMODE" in messages


def test_a_database_that_is_away_is_one_sentence(database: Database, unused_port: int) -> None:
    code, output, messages = run(database, POSTGRES_PORT=str(unused_port))
    assert (code, output) == (1, "")
    assert messages.startswith("The database cannot be reached")
    assert "Traceback" not in messages


def test_a_model_that_nothing_can_make_is_said_so_and_search_keeps_its_own(database: Database) -> None:
    code, output, _ = run(database, "--use", "text-embedding-3-large")
    assert (code, "text-embedding-3-large needs AZURE_OPENAI_ENDPOINT" in output) == (1, True)
    assert "* hash-384" in run(database, "--list")[1]


async def test_another_model_is_embedded_beside_the_old_one_and_then_used_and_the_old_one_removed(
    fresh_database: Database, sql: asyncpg.Connection
) -> None:
    if not minilm.is_installed():
        pytest.skip(f"{MINILM} is not installed")
    # A few products only: what is shown is the way, and a small machine embeds slowly.
    await sql.execute("DELETE FROM retail.inventory; DELETE FROM retail.order_items")
    await sql.execute("DELETE FROM retail.products WHERE sku NOT LIKE 'HT-HAM-%'")
    listing, use, remove = _commands_of_the_page(NAME=MINILM, OLD="hash-384")
    code, output, messages = run(fresh_database, *use)
    assert (code, output.splitlines()[-1]) == (0, f"Search uses {MINILM}"), messages
    assert run(fresh_database, *listing)[1] == f"* {MINILM}  7 vectors, no index\n  hash-384  7 vectors, no index\n"

    code, _, messages = run(fresh_database, *remove)
    assert (code, messages) == (2, "Set POSTGRES_ADMIN_USER: see --help.\n")
    code, _, messages = run(fresh_database, "--remove", MINILM, **fresh_database.administrator.environment())
    assert (code, messages) == (1, f"search uses {MINILM}\n")
    assert run(fresh_database, *remove, **fresh_database.administrator.environment())[:2] == (
        0,
        "7 vectors deleted\n",
    )
    assert run(fresh_database, "--index", MINILM, **fresh_database.administrator.environment())[0] == 0
    assert run(fresh_database, "--list")[1] == f"* {MINILM}  7 vectors, indexed\n"


async def test_many_vectors_want_an_index(
    fresh_database: Database, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    products = await sql.fetchval("SELECT count(*) FROM retail.products")
    monkeypatch.setattr(embedding_models, "INDEX_FROM", products)
    pools = embedding_models.Pools(fresh_database.settings)
    models = embedding_models.EmbeddingModels(pools)
    (before,) = await models.stored()
    await embedding_models.build_index(fresh_database.administrator, "hash-384")
    (after,) = await models.stored()
    await pools.close()
    assert [(stored.vectors, stored.indexed, stored.wants_index) for stored in (before, after)] == [
        (products, False, True),
        (products, True, False),
    ]
