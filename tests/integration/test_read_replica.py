"""POSTGRES_READER_HOST: a model's SQL runs on a replica, with every wall; Zava's own work stays on the primary."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.conftest import Cluster, Database
from tests.integration import replica as replicas
from tests.integration.replica import Replica
from zava import bootstrap
from zava.bootstrap import Application
from zava.data.pools import LazyPool
from zava.data.signing_keys import SigningKeys
from zava.data.tenant_context import ContextSigner, SigningKey, TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.errors import DatabaseUnavailableError, IsolationError, MCPError
from zava.local.environment import settings_of
from zava.local.stores import STORES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a second loopback address by itself")

ScopeOf = Callable[..., TenantScope]


@pytest.fixture(scope="module")
def replica(cluster: Cluster) -> Iterator[Replica]:
    with replicas.running(cluster.server) as running:
        yield running


@pytest.fixture
async def application(replica: Replica, fresh_database: Database) -> AsyncIterator[Application]:
    await replica.caught_up(fresh_database)
    application = bootstrap.build(
        settings_of(fresh_database.environment | {"POSTGRES_READER_HOST": replicas.HOST}),
    )
    yield application
    await application.pools.close()


async def is_replica(pool: LazyPool) -> bool:
    async with pool.connection() as connection:
        return await connection.fetchval("SELECT pg_is_in_recovery()")


async def stores_of(application: Application, scope: TenantScope) -> set[str]:
    result = await application.sales_queries.run(
        "SELECT DISTINCT store_id FROM retail.orders", scope, deadline=time.monotonic() + 10
    )
    return {str(row[0]) for row in result.rows}


async def test_the_reader_reads_the_replica_and_the_app_works_on_the_primary(application: Application) -> None:
    assert [await is_replica(application.pools.reader), await is_replica(application.pools.app)] == [True, False]


async def test_isolation_is_proved_on_the_replica_and_each_tenant_sees_its_own(
    application: Application, scope: ScopeOf
) -> None:
    assert (await application.health.ready({})).status == 200
    for slug in ("seattle", "online"):
        assert await stores_of(application, scope(slug)) == {str(store) for store in scope(slug).store_ids}
    assert len(await stores_of(application, scope())) == len(STORES)


async def test_a_context_signed_with_another_key_sees_nothing_on_the_replica(
    application: Application, fresh_database: Database, scope: ScopeOf
) -> None:
    forging = TenantTransactions(
        application.pools,
        ContextSigner(SigningKey.generate("local1")),
        fresh_database.transactions(application.pools)._proof,
    )
    with pytest.raises(IsolationError):
        async with forging.open(scope("seattle"), timeout_seconds=5, deadline=time.monotonic() + 5):
            raise AssertionError("nothing may be read")


async def test_what_the_replica_has_not_heard_of_yet_is_an_old_answer_or_a_clean_error(
    application: Application, fresh_database: Database, replica: Replica, scope: ScopeOf
) -> None:
    keys = SigningKeys(fresh_database.administrator)
    new = SigningKey.generate("next1")
    lagging = await replica.superuser("postgres")
    primary = await fresh_database.superuser()
    seattle = {str(store) for store in scope("seattle").store_ids}
    try:
        assert await stores_of(application, scope("seattle")) == seattle
        await lagging.execute("SELECT pg_wal_replay_pause()")
        await primary.execute("TRUNCATE retail.order_items, retail.orders")
        await keys.add(new)
        assert await stores_of(application, scope("seattle")) == seattle, "as it was before"

        ahead = TenantTransactions(
            application.pools, ContextSigner(new), fresh_database.transactions(application.pools)._proof
        )
        with pytest.raises(IsolationError):
            async with ahead.open(scope("seattle"), timeout_seconds=5, deadline=time.monotonic() + 5):
                raise AssertionError("the replica does not know this key yet")

        await lagging.execute("SELECT pg_wal_replay_resume()")
        await replica.caught_up(fresh_database)
        assert await stores_of(application, scope("seattle")) == set()
        async with ahead.open(scope("seattle"), timeout_seconds=5, deadline=time.monotonic() + 5) as connection:
            assert await connection.fetchval("SELECT count(*) FROM retail.stores") == 1
    finally:
        await lagging.execute("SELECT pg_wal_replay_resume()")
        await lagging.close()
        await primary.close()


async def test_a_statement_that_stands_in_the_way_of_replay_is_a_retryable_error(
    application: Application, fresh_database: Database, replica: Replica, scope: ScopeOf
) -> None:
    superuser = await replica.superuser("postgres")
    primary = await fresh_database.superuser()
    transactions = fresh_database.transactions(application.pools)

    async def stand_in_the_way() -> None:
        async with transactions.open(
            scope("seattle"), timeout_seconds=10, deadline=time.monotonic() + 10
        ) as connection:
            await connection.fetchval("SELECT count(*) FROM retail.orders")
            await primary.execute("TRUNCATE retail.order_items, retail.orders")
            await connection.fetchval("SELECT count(*) FROM pg_sleep(8)")

    try:
        await superuser.execute("ALTER SYSTEM SET max_standby_streaming_delay = 0")
        await superuser.execute("SELECT pg_reload_conf()")
        with pytest.raises(DatabaseUnavailableError) as caught:
            await stand_in_the_way()
        assert caught.value.retryable
    finally:
        await superuser.execute("ALTER SYSTEM RESET max_standby_streaming_delay")
        await superuser.execute("SELECT pg_reload_conf()")
        await superuser.close()
        await primary.close()


async def test_without_the_replica_queries_fail_cleanly_and_come_back_with_it(
    application: Application, replica: Replica, scope: ScopeOf
) -> None:
    assert await stores_of(application, scope("seattle"))
    replica.stop()
    try:
        codes: set[str] = set()
        for _ in range(5):
            with pytest.raises(MCPError) as caught:
                await stores_of(application, scope("seattle"))
            codes.add(caught.value.code)
            assert caught.value.retryable
        assert codes == {"DATABASE_UNAVAILABLE"}
        assert not await is_replica(application.pools.app)
    finally:
        replica.start()
    started, answered = time.monotonic(), False
    while not answered:
        try:
            answered = bool(await stores_of(application, scope("seattle")))
        except MCPError:
            assert time.monotonic() - started < 5
