"""A restored copy: what is complete and isolated passes, and everything that can be missing is found by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Database
from zava.data import backup_check
from zava.data.administration import AdministratorConnection
from zava.data.backup_check import Finding, check


def _environment(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in database.administrator.environment().items():
        monkeypatch.setenv(name, value)


def test_a_connections_settings_lead_back_to_it(database: Database) -> None:
    administrator = database.administrator
    assert AdministratorConnection.of_environment(administrator.environment()) == administrator


async def _state(database: Database) -> list[tuple[object, ...]]:
    connection = await database.superuser()
    try:
        keys = await connection.fetch("SELECT key_id FROM guard.context_key ORDER BY 1")
        members = await connection.fetch(
            "SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members ORDER BY 1, 2"
        )
        return [tuple(row) for row in (*keys, *members)]
    finally:
        await connection.close()


async def test_a_whole_copy_passes_and_is_left_as_it_was(fresh_database: Database) -> None:
    before = await _state(fresh_database)
    counts, findings = await check(fresh_database.administrator, {})
    assert [str(finding) for finding in findings if not finding.holds] == []
    assert Finding("tenants are kept apart", "every check holds", holds=True) in findings
    assert (counts["products"], counts["stores"]) == (520, 8)
    assert await _state(fresh_database) == before


# What is done to the copy, and the line that must fail.
_LOSSES = {
    "an older schema": ("UPDATE zava.migrations SET version_num = '0003'", "migration: 0003, this code has"),
    "a table that is empty": ("TRUNCATE retail.inventory", "inventory: 0 rows, at least 1 expected"),
    "items of orders lost": (
        "DELETE FROM retail.order_items WHERE order_id IN (SELECT order_id FROM retail.orders LIMIT 3)",
        "orders that are not the sum of their items: 3",
    ),
    "a constraint not proved": (
        "ALTER TABLE retail.orders ADD CONSTRAINT later CHECK (total_amount > 0) NOT VALID",
        "constraints: retail.orders.later",
    ),
    "an index that is broken": (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'retail.orders_pkey'::regclass",
        "indexes: retail.orders_pkey",
    ),
    "row security not forced": (
        "ALTER TABLE retail.orders NO FORCE ROW LEVEL SECURITY",
        "tenants are kept apart: row_security_is_forced",
    ),
    "another's grant": ("GRANT UPDATE ON retail.orders TO zava_reader", "tenants are kept apart: login_only_reads"),
    "no store left": ("TRUNCATE retail.stores CASCADE", "stores: none"),
}


@pytest.mark.parametrize(("damage", "line"), _LOSSES.values(), ids=_LOSSES.keys())
async def test_what_a_copy_lacks_is_found_by_name(fresh_database: Database, damage: str, line: str) -> None:
    connection = await fresh_database.superuser()
    await connection.execute(damage)
    await connection.close()
    _, findings = await check(fresh_database.administrator, {})
    failed = [str(finding) for finding in findings if not finding.holds]
    assert any(text.startswith(f"FAILED  {line}") for text in failed), failed


async def test_a_table_that_the_original_has_empty_may_be_empty_in_the_copy(fresh_database: Database) -> None:
    connection = await fresh_database.superuser()
    await connection.execute("TRUNCATE retail.product_description_embeddings")
    await connection.close()
    counts, _ = await check(fresh_database.administrator, {})
    _, findings = await check(fresh_database.administrator, counts)
    assert (counts["product_description_embeddings"], [str(each) for each in findings if not each.holds]) == (0, [])
    assert Finding("products without a vector", str(counts["products"]), holds=True) in findings


def test_a_copy_with_fewer_rows_than_the_original_is_refused(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _environment(fresh_database, monkeypatch)
    file = tmp_path / "figures.json"
    assert backup_check.main(["--write", str(file)]) == 0
    assert capsys.readouterr().out.endswith("The copy is complete and keeps tenants apart.\n")
    figures = json.loads(file.read_text("utf-8"))
    assert backup_check.main(["--at-least", str(file)]) == 0
    file.write_text(json.dumps(figures | {"orders": figures["orders"] + 1}))
    capsys.readouterr()
    assert backup_check.main(["--at-least", str(file)]) == 1
    said = capsys.readouterr().out
    assert f"FAILED  orders: {figures['orders']} rows, at least {figures['orders'] + 1} expected" in said
    assert said.endswith("Do not let this copy serve anybody.\n")
