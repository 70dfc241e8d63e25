"""Nothing of a tenant, a caller or a secret leaves by telemetry, the log or the health report, whatever was called."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import httpx2

from tests.azure_standins.collector import Collector
from tests.conftest import Database
from tests.e2e.worker_process import WorkerProcess
from tests.security.canaries import Canary, plant
from zava.local.stores import STORES

_WRITTEN = "wr1tten-by-a-caller"  # in literals, names and arguments
_PERSON = "ada.lovelace@shop.example"


async def test_a_run_of_calls_that_work_and_fail_leaves_nothing_that_is_private(
    fresh_database: Database, collector: Collector, tmp_path: Path
) -> None:
    superuser = await fresh_database.superuser()
    await plant(superuser)
    await superuser.close()
    issuer = fresh_database.cluster.issuer
    tokens = {
        store.slug: issuer.mint("store_manager", stores=[store.slug], subject=_PERSON) for store in STORES[:3]
    } | {"admin": issuer.mint("super_admin", subject=_PERSON)}
    environment = fresh_database.environment | {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": collector.connection_string,
        "LOG_LEVEL": "DEBUG",
        "SLOW_QUERY_SECONDS": "0.001",
    }
    canary = Canary.of(STORES[0])
    statements = [
        "SELECT * FROM customers ORDER BY customer_id DESC LIMIT 500",
        "SELECT * FROM orders ORDER BY total_amount DESC LIMIT 50",
        f"SELECT store_name FROM stores WHERE store_name <> '{_WRITTEN}' OR store_name = '{canary.tag}'",
        f'SELECT "{_WRITTEN}" FROM stores',
        f"SELECT '{_WRITTEN}'::int FROM stores",
        f"SELECT to_tsquery('{_WRITTEN} {_PERSON} &&& (')",
        f"DELETE FROM customers WHERE email = '{_PERSON}'",
        f"SELECT '{_WRITTEN}",
        "SELECT sum(quantity * 1e308 * 1e308) FROM order_items",
    ]
    with WorkerProcess(environment, tmp_path) as worker:
        async with httpx2.AsyncClient(timeout=30) as http:
            for token in tokens.values():
                for sql in statements:
                    await worker.call(http, token, "execute_sales_query", postgresql_query=sql)
                await worker.call(http, token, "semantic_search_products", query_description=f"{_WRITTEN} {_PERSON}")
                await worker.call(http, token, f"tool {_WRITTEN} {_PERSON}")
                await worker.call(http, token, "execute_sales_query", postgresql_query={_WRITTEN: _PERSON})
                await worker.call(
                    http, token, "get_current_utc_date", headers={"x-rls-user-id": f"{_WRITTEN}"}, text=_WRITTEN
                )
            await worker.call(http, f"{tokens['admin'][:-4]}abcd", "get_current_utc_date")
            admin = {"Authorization": f"Bearer {tokens['admin']}"}
            reports = [
                (await http.get(f"{worker.base_url}/{path}", headers=headers)).text
                for path in ("health", "health/ready", "health/live")
                for headers in ({}, admin)
            ]
        worker.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.process.wait, 30) == 0
        log = worker.log
    told = {"telemetry": json.dumps(collector.items), "log": log, "health": "\n".join(reports)}
    assert len(collector.of("RequestData")) >= 4 * len(statements)
    assert any("slow query" in data["message"] for data in collector.of("MessageData"))
    secrets = [secret for secret in fresh_database.settings.secrets().values() if secret]
    private = {_WRITTEN, _PERSON, "Lovelace", *secrets, *tokens.values(), *(token[-40:] for token in tokens.values())}
    for store in STORES:
        private |= Canary.of(store).texts
    assert {(where, text) for where, said in told.items() for text in private if text in said} == set()
