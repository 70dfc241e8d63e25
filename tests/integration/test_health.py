"""`/health`: everybody learns whether Zava is well, a super_admin how each component is, and nobody a secret."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tests.conftest import Database
from tests.small_endpoint import handshake, tool
from zava import bootstrap
from zava.bootstrap import Application
from zava.local.environment import settings_of


@pytest.fixture
async def app(database: Database) -> AsyncIterator[Application]:
    application = bootstrap.build(database.settings)
    yield application
    await application.pools.close()


async def _asked(app: Application, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    answer = await app.health.detailed(headers)
    return answer.status, json.loads(answer.body)


def _bearer(database: Database, role: str, **claims: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {database.cluster.issuer.mint(role, **claims)}"}


async def test_a_super_admin_sees_every_component_and_the_figures_of_this_worker(
    app: Application, database: Database
) -> None:
    admin = _bearer(database, "super_admin")
    call = handshake("tools/call", tool("execute_sales_query", postgresql_query="SELECT count(*) FROM stores"))
    assert (await app.endpoint.handle(call.method, call.headers | admin, call.body)).status == 200
    status, document = await _asked(app, admin)
    components = document.pop("components")
    assert (status, document) == (200, {"status": "ok", "failed": []})
    assert {name: component["status"] for name, component in components.items()} == {
        "database": "ok",
        "isolation": "ok",
        "secrets": "ok",
        "ai_service": "ok",
        "cache": "ok",
        "system": "ok",
        "application": "ok",
    }
    assert components["database"]["pools"]["reader"]["most"] == database.settings.postgres_reader_pool_max
    assert components["database"]["server_version"].split(".")[0].isdigit()
    (figures,) = components["application"]["operations"]
    assert (figures["operation"], figures["count"], figures["failed"]) == ("execute_sales_query", 1, 0)
    assert components["ai_service"]["circuit"] == "closed"
    told = json.dumps(components)
    secrets = [database.cluster.secrets.tenant_signing_key, *database.settings.secrets().values()]
    assert [secret for secret in secrets if secret and secret in told] == []


@pytest.mark.parametrize("who", ["nobody", "nonsense", "store_manager", "regional_manager"])
async def test_everybody_else_learns_whether_it_is_well_and_nothing_more(
    who: str, app: Application, database: Database
) -> None:
    headers = {
        "nobody": {},
        "nonsense": {"authorization": "Bearer nonsense"},
        "store_manager": _bearer(database, "store_manager", stores=["seattle"]),
        "regional_manager": _bearer(database, "regional_manager", regions=["online"]),
    }[who]
    assert await _asked(app, headers) == (200, {"status": "ok"})


async def test_a_database_that_is_away_is_a_503_without_a_word_to_anybody(database: Database, unused_port: int) -> None:
    app = bootstrap.build(database.settings.model_copy(update={"postgres_port": unused_port}))
    try:
        assert await _asked(app, {}) == (503, {"status": "failed"})
        # Whether the token was revoked cannot be looked up, so it opens nothing; the log names the components.
        assert await _asked(app, _bearer(database, "super_admin")) == (503, {"status": "failed"})
    finally:
        await app.pools.close()


async def test_a_redis_that_is_away_is_told_and_fails_nothing(database: Database, unused_port: int) -> None:
    redis = f"redis://127.0.0.1:{unused_port}"
    changes = {"REDIS_URL": redis, "CACHE_ENCRYPTION_KEY": Fernet.generate_key().decode(), "QUERY_CACHE_SECONDS": "30"}
    app = bootstrap.build(settings_of(database.environment | changes))
    admin = _bearer(database, "super_admin")
    try:
        number = 0
        while app.redis_level.state != "open":
            number += 1
            sql = f"SELECT count(*) + {number} FROM stores"
            call = handshake("tools/call", tool("execute_sales_query", postgresql_query=sql))
            assert (await app.endpoint.handle(call.method, call.headers | admin, call.body)).status == 200
        status, document = await _asked(app, admin)
    finally:
        await app.redis_level.close()
        await app.pools.close()
    assert (status, document["status"], document["failed"]) == (200, "degraded", [])
    cache = document["components"]["cache"]
    assert (cache["status"], cache["shared"]) == ("degraded", "open")
