"""What a query's answer looks like: names, values, caps and notices."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.conftest import Database
from zava import bootstrap
from zava.bootstrap import Application
from zava.data.query_runner import QueryLimits, QueryResult, QueryRunner
from zava.data.sql_policy import analyse
from zava.data.tenant_context import TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.errors import DatabaseError, MCPError, QueryError, QueryRefusedError, QueryTimeoutError
from zava.local.environment import settings_of

Run = Callable[..., object]


@pytest.fixture(scope="module")
def transactions(database: Database, application: Application) -> TenantTransactions:
    return database.transactions(application.pools)


async def _run(
    transactions: TenantTransactions,
    scope: TenantScope,
    sql: str,
    *,
    rows: int = 1_000,
    size: int = 65_536,
    seconds: float = 10,
) -> QueryResult:
    runner = QueryRunner(transactions, QueryLimits(rows, size, seconds))
    return await runner.run(sql, scope, deadline=time.monotonic() + 20)


_VALUES = {
    "integers": ("SELECT 1::int2, 2147483647, 9223372036854775807", (1, 2147483647, 9223372036854775807)),
    "numeric": ("SELECT 12.50::numeric(9,2), 3.00, 12345678901234567.0", (12.5, 3, 12345678901234567)),
    "numeric beyond a double": ("SELECT 10::numeric ^ 400", ("1.000000000000000E+400",)),
    "not finite": ("SELECT 'NaN'::float8, '-Infinity'::float4, 'NaN'::numeric", (None, None, None)),
    "text": ("SELECT 'a''b'::text, 'x'::varchar, 'é'::char(2)", ("a'b", "x", "é")),
    "boolean and null": ("SELECT true, NULL, NULL::text", (True, None, None)),
    "dates": (
        "SELECT DATE '2026-02-28', TIMESTAMPTZ '2026-02-28 10:00+02', TIME '10:00', DATE 'infinity'",
        ("2026-02-28", "2026-02-28T08:00:00+00:00", "10:00:00", "infinity"),
    ),
    "interval": ("SELECT INTERVAL '1 day 2 hours'", ("P1DT2H",)),
    "uuid": ("SELECT 'f47ac10b-58cc-4372-a567-0e02b2c3d479'::uuid", ("f47ac10b-58cc-4372-a567-0e02b2c3d479",)),
    "json": ("""SELECT '{"a": [1, null]}'::jsonb, json_build_array(1, 'x')""", ({"a": [1, None]}, [1, "x"])),
    "array": ("SELECT ARRAY[[1,2],[3,4]], ARRAY['a', NULL]", ([[1, 2], [3, 4]], ["a", None])),
    "composite and range": ("SELECT ROW(1, 'a'), int4range(1, 3)", ({"f1": 1, "f2": "a"}, "[1,3)")),
    "bytes": (r"SELECT '\xff00'::bytea", ("\\xff00",)),
}


@pytest.mark.parametrize(("sql", "expected"), _VALUES.values(), ids=_VALUES)
async def test_values_become_json(
    sql: str, expected: tuple[object, ...], transactions: TenantTransactions, scope: Callable[..., TenantScope]
) -> None:
    result = await _run(transactions, scope(), sql)
    assert result.rows == (expected,)


async def test_equal_column_names_are_made_unique(
    transactions: TenantTransactions, scope: Callable[..., TenantScope]
) -> None:
    result = await _run(transactions, scope(), "SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS \"a\", 'x' AS a")
    assert result == QueryResult(("a", "a_3", "a_2", "a_4", "a_5"), ((1, 2, 3, 4, "x"),), False, "")


async def test_an_empty_result_keeps_its_columns(
    transactions: TenantTransactions, scope: Callable[..., TenantScope]
) -> None:
    result = await _run(transactions, scope(), "SELECT store_name, is_online FROM stores WHERE false")
    assert result == QueryResult(("store_name", "is_online"), (), False, "")


async def test_a_trailing_comment_does_not_swallow_the_cap(
    transactions: TenantTransactions, scope: Callable[..., TenantScope]
) -> None:
    result = await _run(transactions, scope(), "SELECT generate_series(1, 9) AS n -- all of them", rows=3)
    assert (result.rows, result.truncated) == (((1,), (2,), (3,)), True)


async def test_exactly_as_many_rows_as_the_cap_are_not_truncated(
    transactions: TenantTransactions, scope: Callable[..., TenantScope]
) -> None:
    result = await _run(transactions, scope(), "SELECT generate_series(1, 3) AS n", rows=3)
    assert result == QueryResult(("n",), ((1,), (2,), (3,)), False, "")


async def test_one_row_more_than_the_cap_is_said_with_advice(
    transactions: TenantTransactions, scope: Callable[..., TenantScope]
) -> None:
    result = await _run(transactions, scope(), "SELECT n, 'row ' || n AS t FROM generate_series(1, 4) AS n", rows=3)
    assert (len(result.rows), result.truncated) == (3, True)
    assert result.notice.startswith("Only the first 3 rows are shown. Aggregate, filter, or page")


async def test_the_order_of_the_query_survives_both_ways_of_reading(
    transactions: TenantTransactions, scope: Callable[..., TenantScope]
) -> None:
    for column in ("n", "n::text AS n"):
        result = await _run(
            transactions, scope(), f"SELECT {column} FROM generate_series(1, 5) AS g(n) ORDER BY g.n DESC"
        )
        assert [str(row[0]) for row in result.rows] == ["5", "4", "3", "2", "1"]


async def test_rows_beyond_the_byte_cap_are_left_out_with_advice(
    transactions: TenantTransactions, scope: Callable[..., TenantScope]
) -> None:
    result = await _run(transactions, scope(), "SELECT repeat('x', 400) AS t FROM generate_series(1, 50)", size=2_048)
    assert (len(result.rows), result.truncated) == (5, True)
    assert "fit into 2048 bytes" in result.notice


async def test_a_single_huge_value_is_cut_and_never_dropped(
    transactions: TenantTransactions, scope: Callable[..., TenantScope]
) -> None:
    sql = "SELECT 7 AS n, string_agg(repeat('x', 1000), '') AS t FROM generate_series(1, 20000)"
    result = await _run(transactions, scope(), sql, size=2_048)
    (row,) = result.rows
    assert row[0] == 7
    assert row[1] == "x" * 1_024 + "…"
    assert result.truncated
    assert "Long values were cut" in result.notice


async def test_a_first_row_that_json_makes_larger_than_the_cap_is_shown_all_the_same(
    transactions: TenantTransactions, scope: Callable[..., TenantScope]
) -> None:
    # A value is cut to half of the cap in characters; each of these is six in JSON.
    result = await _run(transactions, scope(), "SELECT repeat(chr(1), 900) AS a FROM generate_series(1, 2)", size=2_000)
    assert (result.columns, result.rows, result.truncated) == (("a",), (("\x01" * 900,),), True)
    assert result.notice.startswith("Only the first 1 rows fit into 2000 bytes.")


async def test_a_raw_vector_is_cut_short(transactions: TenantTransactions, scope: Callable[..., TenantScope]) -> None:
    sql = "SELECT description_embedding FROM product_description_embeddings LIMIT 1"
    result = await _run(transactions, scope(), sql)
    assert len(str(result.rows[0][0])) <= 70
    assert result.truncated


async def test_a_few_numbers_of_a_vector_and_what_is_reckoned_from_it_are_shown(
    transactions: TenantTransactions, scope: Callable[..., TenantScope]
) -> None:
    sql = """SELECT subvector(a.description_embedding, 1, 3) AS start,
                    a.description_embedding <=> b.description_embedding AS distance,
                    to_tsvector('english', 'drill bits') @@ websearch_to_tsquery('english', 'bit') AS holds
             FROM product_description_embeddings AS a
             JOIN product_description_embeddings AS b USING (product_id) LIMIT 1"""
    result = await _run(transactions, scope(), sql)
    start, distance, holds = result.rows[0]
    assert str(start).count(",") == 2
    assert (distance, holds, result.truncated) == (0, True, False)


_FAILURES = {
    "unknown column": ("SELECT nope FROM orders", QueryError, 'column "nope" does not exist'),
    "division by zero": (
        "SELECT 1 / (is_online::int - is_online::int) FROM stores",
        QueryError,
        "A value does not fit",
    ),
    "bad cast": ("SELECT email::int FROM customers", QueryError, "A value does not fit"),
    "a date before year 1": ("SELECT '0044-03-15 BC'::date", QueryError, "beyond the years 1 to 9999"),
    "a moment too late": ("SELECT '20000-01-01'::timestamptz", QueryError, "beyond the years 1 to 9999"),
    "hour 24, beside a text": ("SELECT '24:00'::time, email FROM customers", QueryError, "the 24 hours of a day"),
    "an interval too long": ("SELECT '100000000 years'::interval", QueryError, "interval lies beyond"),
    "forbidden table": ("SELECT * FROM guard.context_key", QueryRefusedError, "not readable"),
    "forbidden write": ("SELECT nextval('x')", QueryError, 'relation "x" does not exist'),
}


@pytest.mark.parametrize(("sql", "kind", "text"), _FAILURES.values(), ids=_FAILURES)
async def test_a_failing_query_is_a_clear_error_without_values_of_rows(
    sql: str, kind: type[MCPError], text: str, transactions: TenantTransactions, scope: Callable[..., TenantScope]
) -> None:
    with pytest.raises(DatabaseError) as caught:
        await _run(transactions, scope(), sql)
    assert type(caught.value) is kind
    assert text in caught.value.message
    assert caught.value.hint
    assert "@example.com" not in caught.value.message + caught.value.hint


async def test_a_slow_query_ends_at_its_limit_and_names_it(
    transactions: TenantTransactions, scope: Callable[..., TenantScope]
) -> None:
    started = time.monotonic()
    with pytest.raises(QueryTimeoutError, match=r"limit of 0\.3 seconds"):
        await _run(transactions, scope(), "SELECT count(*) FROM generate_series(1, 1000000000)", seconds=0.3)
    assert time.monotonic() - started < 3


async def test_a_call_past_its_deadline_ends_although_its_statement_may_go_on(
    transactions: TenantTransactions, scope: Callable[..., TenantScope]
) -> None:
    runner = QueryRunner(transactions, QueryLimits(10, 2_048, 10))
    started = time.monotonic()
    with pytest.raises(QueryTimeoutError):
        await runner.run("SELECT pg_sleep(9)", scope(), deadline=time.monotonic() + 0.3)
    assert time.monotonic() - started < 3


async def test_a_slow_query_is_logged_without_its_literals_and_counted(
    database: Database, scope: Callable[..., TenantScope], caplog: pytest.LogCaptureFixture
) -> None:
    application = bootstrap.build(settings_of(database.environment | {"SLOW_QUERY_SECONDS": "0.0001"}))
    statement = "SELECT count(*) FROM orders WHERE status <> 'planted-literal-31337'"
    await application.sales_queries.run(statement, scope("seattle"), deadline=time.monotonic() + 20)
    (logged,) = [record.getMessage() for record in caplog.records if "slow query" in record.getMessage()]
    assert f"execute_sales_query, fingerprint {analyse(statement).fingerprint}, " in logged
    assert "31337" not in caplog.text
    (figures,) = application.monitor.snapshot()
    assert (figures.operation, figures.count, figures.failed, figures.slow) == ("execute_sales_query", 1, 0, 1)
