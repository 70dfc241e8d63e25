"""A physical copy of a serving database, started as a server of its own: proved whole and isolated, or refused."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import Database
from tests.integration import replica
from tests.integration.replica import Replica
from zava import bootstrap
from zava.data import backup_check
from zava.data.tenant_context import TenantScope
from zava.local.environment import settings_of
from zava.local.stores import STORES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a second loopback address by itself")

_SEATTLE = TenantScope(frozenset({STORES[0].store_id}), "ab" * 32)


@pytest.fixture
async def copy(fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Replica]:
    """The copy; the environment leads to it, and `figures.json` holds the counts of the original."""
    for name, value in fresh_database.administrator.environment().items():
        monkeypatch.setenv(name, value)
    assert await asyncio.to_thread(backup_check.main, ["--write", str(tmp_path / "figures.json")]) == 0
    stop = threading.Event()
    # A thread of its own: taking the copy blocks this one, whose end would end the copy's server.
    writing = asyncio.get_running_loop().run_in_executor(None, asyncio.run, _keep_writing(fresh_database, stop))
    try:
        with replica.running(fresh_database.cluster.server, follows=False) as running:
            stop.set()
            await writing
            monkeypatch.setenv("POSTGRES_HOST", replica.HOST)
            yield running
    finally:
        stop.set()


async def _keep_writing(database: Database, stop: threading.Event) -> None:
    """Orders that come in while the copy is taken."""
    connection = await database.superuser()
    try:
        while not stop.is_set():
            await connection.execute(
                """INSERT INTO retail.orders (order_id, customer_id, store_id, order_date, total_amount, status)
                   SELECT gen_random_uuid(), customer_id, store_id, now(), 0, 'completed'
                   FROM retail.customers LIMIT 5"""
            )
    finally:
        await connection.close()


async def _checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = await asyncio.to_thread(backup_check.main, ["--at-least", str(tmp_path / "figures.json")])
    return code, capsys.readouterr().out


async def test_a_copy_of_a_serving_database_is_whole_isolated_and_serves_until_it_is_damaged(
    copy: Replica, fresh_database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = await copy.superuser(fresh_database.name)
    try:
        assert await connection.fetchval("SELECT pg_is_in_recovery()") is False
        code, said = await _checked(tmp_path, capsys)
        assert (code, said.splitlines()[-1]) == (0, "The copy is complete and keeps tenants apart."), said
        orders = json.loads((tmp_path / "figures.json").read_text("utf-8"))["orders"]
        assert f"ok      orders: {orders} rows" not in said, "what came in while it was taken is in it too"

        application = bootstrap.build(settings_of(fresh_database.environment | {"POSTGRES_HOST": replica.HOST}))
        answer = await application.sales_queries.run(
            "SELECT DISTINCT store_id FROM orders", _SEATTLE, deadline=time.monotonic() + 10
        )
        assert [str(row[0]) for row in answer.rows] == [str(STORES[0].store_id)]
        await application.pools.close()

        await connection.execute(
            "DELETE FROM retail.inventory WHERE product_id IN (SELECT product_id FROM retail.products LIMIT 1)"
        )
        code, said = await _checked(tmp_path, capsys)
        assert (code, said.splitlines()[-1]) == (1, "Do not let this copy serve anybody.")
        assert "FAILED  inventory: " in said

        await connection.execute("CREATE POLICY everybody ON retail.orders FOR SELECT TO zava_reader USING (true)")
        code, said = await _checked(tmp_path, capsys)
        assert (code, "FAILED  tenants are kept apart: policies_are_ours" in said) == (1, True), said
    finally:
        await connection.close()
