"""Nothing of other tenants comes sideways: by errors, by what a session keeps, by statistics, by logs."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable

import asyncpg
import pytest

from tests.conftest import Database
from tests.security.attempts import Attempts
from tests.security.canaries import TENANT_TABLES
from tests.security.database_state import DatabaseState
from tests.security.hidden_row_oracles import HIDDEN_ROW_ORACLES
from tests.security.planted import SEATTLE_SCOPE, Planted, opened
from tests.security.session_checks import BELLEVUE_SCOPE, CONTEXT, contexts_seen_by_others, kept_by_sessions
from tests.security.ways import LIMITS, AllWalls, PolicyOff, SimpleProtocol, Unwrapped
from tests.small_endpoint import modern, send, tool
from zava import bootstrap
from zava.data.query_runner import QueryLimits, QueryResult, QueryRunner
from zava.errors import QueryError
from zava.local.stores import STORES


async def _fails_for_a_superuser(planted: Planted, sql: str) -> bool:
    try:
        async with planted.superuser.transaction():
            await planted.superuser.execute("SET LOCAL search_path = pg_catalog, retail, public")
            await planted.superuser.fetch(sql)
    except asyncpg.PostgresError:
        return True
    return False


@pytest.mark.parametrize("sql", HIDDEN_ROW_ORACLES.values(), ids=HIDDEN_ROW_ORACLES)
async def test_an_error_does_not_depend_on_hidden_rows(
    sql: str, planted: Planted, twin: Planted, state: DatabaseState
) -> None:
    assert await _fails_for_a_superuser(planted, sql)
    for way in (AllWalls, PolicyOff, Unwrapped):
        attempts = Attempts(way.__name__, planted, twin, lambda parts, way=way: way(parts.transactions, SEATTLE_SCOPE))
        assert await attempts.violations(sql, state) == []
    assert (await Unwrapped(planted.transactions, SEATTLE_SCOPE).run(sql)).error == ""


# Each fails on rows that the caller may see, and PostgreSQL's own message quotes one of them.
_QUOTING = {
    "number": "SELECT sum(email::int) FROM customers",
    "search": "SELECT to_tsquery('simple', first_name || ' ' || email) FROM customers",
    "search by a cast": "SELECT (email || ' x')::tsquery FROM customers",
    "path": "SELECT (email || ' x y')::jsonpath FROM customers",
    "regular expression": "SELECT 'x' ~ ('(' || email) FROM customers",
    "date": "SELECT to_date(email, 'YYYY-MM-DD') FROM customers",
    "time zone": "SELECT now() AT TIME ZONE email FROM customers",
    "unit": "SELECT date_trunc(email, now()) FROM customers",
    "array": "SELECT ('{' || email)::text[] FROM customers",
    "json": "SELECT email::jsonb FROM customers",
    "json path": "SELECT jsonb_path_query(to_jsonb(c), '$.email.double()') FROM customers AS c",
    "encoding": "SELECT convert_from('\\xff'::bytea, email) FROM customers",
    "vector": "SELECT email::vector FROM customers",
}


@pytest.mark.parametrize("sql", _QUOTING.values(), ids=_QUOTING)
async def test_an_error_quotes_no_row(sql: str, planted: Planted) -> None:
    runner = QueryRunner(planted.transactions, LIMITS)
    with pytest.raises(QueryError) as caught:
        await runner.run(sql, BELLEVUE_SCOPE, deadline=time.monotonic() + 20)
    assert "@example.com" not in str(caught.value.as_dict())
    assert not planted.evidence.owners(str(caught.value.as_dict()))


async def test_an_error_in_the_query_itself_says_what_postgresql_says(planted: Planted) -> None:
    outcome = await AllWalls(planted.transactions, BELLEVUE_SCOPE).run("SELECT region, count(*) FROM stores")
    assert 'column "stores.region" must appear in the GROUP BY clause' in outcome.error


async def test_a_session_keeps_no_statement_cursor_lock_or_context_of_the_tenant_before(
    planted: Planted, route: Callable[[Database], Database]
) -> None:
    async with opened(route(planted.database)) as parts:
        for _ in range(5):
            assert await kept_by_sessions(parts) == []


async def test_a_context_never_shows_in_what_sessions_of_the_same_login_see_of_each_other(planted: Planted) -> None:
    assert await contexts_seen_by_others(planted, planted.transactions) == []


# What only the policy stops: these answer any login, and tell how much there is of what the login may not see.
_VOLUMES = {
    "estimate of the planner": "EXPLAIN SELECT * FROM retail.orders WHERE store_id = '{store}'",
    "rows of the whole table": "SELECT reltuples FROM pg_class WHERE oid = 'retail.orders'::regclass",
    "size of the table": "SELECT pg_relation_size('retail.orders')",
    "live rows": "SELECT n_live_tup FROM pg_stat_all_tables WHERE relid = 'retail.orders'::regclass",
    "places of rows": "SELECT ctid FROM retail.orders",
    "transactions of rows": "SELECT xmin, xmax FROM retail.orders",
    "statements of others": "SELECT query FROM pg_stat_activity",
    "sampled blocks": "SELECT count(*) FROM retail.orders TABLESAMPLE SYSTEM (50) REPEATABLE (1)",
}


@pytest.mark.parametrize("sql", _VOLUMES.values(), ids=_VOLUMES)
async def test_volumes_and_estimates_are_refused(sql: str, planted: Planted) -> None:
    sql = sql.format(store=STORES[1].store_id)
    assert (await AllWalls(planted.transactions, SEATTLE_SCOPE).run(sql)).error.startswith("QueryRefusedError")
    assert (await Unwrapped(planted.transactions, SEATTLE_SCOPE).run(sql)).rows, "only the policy stops it"


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_the_planners_statistics_show_no_value_of_a_tenant_table(table: str, planted: Planted) -> None:
    way = SimpleProtocol(planted.transactions, SEATTLE_SCOPE)
    for view in ("pg_stats", "pg_stats_ext", "pg_stats_ext_exprs"):
        shown = await way.run(f"SELECT * FROM {view} WHERE schemaname = 'retail' AND tablename = '{table}'")
        assert (shown.rows, shown.error) == ((), "")
    assert "42501" in (await way.run("SELECT * FROM pg_statistic")).error
    assert "42501" in (await way.run("SELECT * FROM pg_statistic_ext_data")).error
    assert await planted.superuser.fetch("SELECT attname FROM pg_stats WHERE tablename = $1", table)


def test_an_answer_has_no_place_for_times_or_estimates() -> None:
    assert [field.name for field in dataclasses.fields(QueryResult)] == ["columns", "rows", "truncated", "notice"]


async def test_a_truncated_answer_does_not_say_how_many_rows_there_are(planted: Planted, twin: Planted) -> None:
    few = QueryLimits(max_rows=5, max_bytes=65_536, timeout_seconds=5)
    outcomes = [
        await AllWalls(parts.transactions, SEATTLE_SCOPE, few).run("SELECT email FROM customers ORDER BY email")
        for parts in (planted, twin)
    ]
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0].rows) == 5
    assert outcomes[0].messages[0].startswith("True Only the first 5 rows are shown. ")


_LOGGED = {
    "answered": "SELECT email, 'Literal 4711' AS remark FROM customers LIMIT 3",
    "refused": "SELECT pg_sleep(1), 'Literal 4711'",
    "not parsed": "SELECT 'Literal 4711' FROM FROM customers",
    "unknown column": "SELECT nobody, 'Literal 4711' FROM customers",
    "bad cast of a row": "SELECT email::int, 'Literal 4711' FROM customers",
    "bad cast": "SELECT 'Literal 4711'::int",
    "division by zero": "SELECT 1 / (stock_level - stock_level), 'Literal 4711' FROM inventory",
    "cut short": "SELECT string_agg(email, 'Literal 4711') FROM customers, generate_series(1, 40)",
}


@pytest.mark.parametrize("sql", _LOGGED.values(), ids=_LOGGED)
async def test_no_log_line_holds_a_literal_an_address_or_a_context(
    sql: str, planted: Planted, caplog: pytest.LogCaptureFixture
) -> None:
    """The whole way of a call, from its token on, with every logger at its most talkative."""
    key = planted.database.cluster.secrets.tenant_signing_key
    token = planted.database.cluster.issuer.mint("store_manager", stores=["bellevue"])
    application = bootstrap.build(planted.database.settings)
    request = modern("tools/call", tool("execute_sales_query", postgresql_query=sql)).but(
        authorization=f"Bearer {token}"
    )
    loop = asyncio.get_running_loop()
    with caplog.at_level(logging.DEBUG):
        loop.set_debug(True)
        try:
            reply = await send(application.endpoint, request)
        finally:
            loop.set_debug(False)
    assert reply.status == 200
    text = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert text, "something is logged, or this test sees nothing"
    for secret in ("4711", "@example.com", token, token.rpartition(".")[2], key, key.partition(":")[2]):
        assert secret not in text
    assert not CONTEXT.search(text)
    assert not planted.evidence.of_others(text, asked=str(STORES[1].store_id))


async def test_the_servers_own_log_holds_no_context_even_of_failed_statements(planted: Planted) -> None:
    log = planted.database.cluster.server._log
    before = len(log.read_text(errors="replace"))
    for sql in _LOGGED.values():
        await PolicyOff(planted.transactions, BELLEVUE_SCOPE).run(sql)
    text = log.read_text(errors="replace")[before:]
    assert "division by zero" in text, "the server logs failed statements, or this test sees nothing"
    assert not CONTEXT.search(text)
    assert planted.database.cluster.secrets.tenant_signing_key.partition(":")[2] not in text
