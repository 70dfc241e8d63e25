"""Kept answers never cross a border: not between tenants, roles or permissions, and not from yesterday into today."""

from __future__ import annotations

import dataclasses
import time
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue, TypeAdapter

from tests.clock import Clock
from tests.security.planted import Planted, opened
from tests.security.sql_table import ACCEPTED
from tests.security.traffic import Traffic
from zava import bootstrap
from zava.data.sql_policy import analyse
from zava.data.tenant_context import TenantScope
from zava.errors import MCPError
from zava.local.stores import STORES
from zava.platform.result_cache import ResultCache
from zava.services.performance_report import PerformanceReport
from zava.services.tenant_answers import TenantAnswers

_STORES = [UUID(int=number) for number in (1, 2, 0x12)]
_RIGHTS = ["store_manager", "super_admin", "sales:read", "products:read"]
_TEXTS = ["a", "b", "a,b", '["a"]', "", "execute_sales_query"]
_MEBIBYTE = 1_048_576

_QUESTIONS = st.tuples(
    st.sampled_from(["execute_sales_query", "get_store_performance"]),
    st.sampled_from(_TEXTS) | st.lists(st.sampled_from(_TEXTS), max_size=2),
    st.frozensets(st.sampled_from(_STORES), min_size=1),
    st.frozensets(st.sampled_from(_RIGHTS)),
    st.sampled_from(["ab" * 32, "cd" * 32]),
)


@given(st.lists(st.tuples(_QUESTIONS, st.sampled_from([0.0, 10.0, 29.0, 30.0])), max_size=30))
async def test_an_answer_is_only_given_again_to_the_same_question_of_the_same_stores_and_rights(
    asked: list[tuple[tuple[str, JsonValue, frozenset[UUID], frozenset[str], str], float]],
) -> None:
    clock = Clock()
    answers = TenantAnswers(ResultCache(30, _MEBIBYTE, clock=clock))
    for (operation, question, stores, rights, subject), seconds in asked:
        clock.now += seconds
        identity = repr((operation, question, sorted(stores), sorted(rights)))

        async def make(identity: str = identity, made_at: float = clock.now) -> list[str]:
            return [identity, str(made_at)]

        scope = TenantScope(stores, subject, rights)
        answer, made_at = await answers.get_or_make(
            operation, question, scope, make, TypeAdapter(list[str]), deadline=time.monotonic() + 9
        )
        assert answer == identity
        assert clock.now - float(made_at) < 30


async def test_eight_tenants_that_share_one_cache_never_see_each_others_rows(planted: Planted) -> None:
    cache = ResultCache(30, _MEBIBYTE)
    async with opened(planted.database) as parts:
        tally = await Traffic(parts.transactions, parts.evidence, cache).run(1_000)
    assert tally.violations == []
    assert set(tally.errors) <= {"QueryError", "QueryTimeoutError", "given up"}
    figures = cache.figures()
    assert figures.memory_hits > 500
    assert figures.entries == 5 * len(STORES)  # the sixth statement fails, and no error is kept


@pytest.fixture
def caching(planted: Planted) -> bootstrap.Application:
    environment = planted.database.environment | {"QUERY_CACHE_SECONDS": "30"}
    return bootstrap.build(dataclasses.replace(planted.database, environment=environment).settings)


async def test_no_statement_whose_answer_may_change_by_itself_is_kept(caching: bootstrap.Application) -> None:
    scope = TenantScope(frozenset({STORES[0].store_id}), "ab" * 32)
    volatile = [case.sql for case in ACCEPTED if analyse(case.sql).volatile]
    assert len(volatile) > 5
    for sql in volatile:
        await caching.sales_queries.run(sql, scope, deadline=time.monotonic() + 20)
    figures = caching.result_cache.figures()
    assert (figures.entries, figures.misses) == (0, 0)


async def test_refusals_and_errors_are_not_kept(caching: bootstrap.Application) -> None:
    scope = TenantScope(frozenset({STORES[0].store_id}), "ab" * 32)
    for sql in (
        "SELECT pg_sleep(1)",
        "SELECT 1 / (stock_level - stock_level) FROM inventory",
        "SELECT nothing FROM orders",
    ):
        with pytest.raises(MCPError):
            await caching.sales_queries.run(sql, scope, deadline=time.monotonic() + 20)
    assert caching.result_cache.figures().entries == 0


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.frozensets(st.sampled_from([store.store_id for store in STORES]), min_size=1, max_size=2),
            st.frozensets(st.sampled_from(_RIGHTS), max_size=2),
        ),
        min_size=2,
        max_size=6,
    )
)
async def test_the_same_sql_gives_every_scope_its_own_stores(
    planted: Planted, scopes: list[tuple[frozenset[UUID], frozenset[str]]]
) -> None:
    environment = planted.database.environment | {"QUERY_CACHE_SECONDS": "30"}
    application = bootstrap.build(dataclasses.replace(planted.database, environment=environment).settings)
    for stores, rights in scopes * 2:
        result = await application.sales_queries.run(
            "SELECT store_id FROM stores", TenantScope(stores, "ab" * 32, rights), deadline=time.monotonic() + 20
        )
        assert sorted(str(row[0]) for row in result.rows) == sorted(map(str, stores))
    figures = application.result_cache.figures()
    assert (figures.misses, figures.memory_hits) == (len(set(scopes)), 2 * len(scopes) - len(set(scopes)))


async def test_a_report_is_only_given_again_for_the_same_stores(caching: bootstrap.Application) -> None:
    seattle, tacoma = (TenantScope(frozenset({store.store_id}), "ab" * 32) for store in STORES[:2])
    both = TenantScope(seattle.store_ids | tacoma.store_ids, "ab" * 32)
    asked = [(seattle, ""), (tacoma, ""), (both, ""), (both, str(STORES[0].store_id))]
    first = [await _report(caching, scope, store) for scope, store in asked]
    again = [await _report(caching, scope, store) for scope, store in asked]
    assert again == first
    assert len({str(report) for report in first}) == 4
    figures = caching.result_cache.figures()
    assert (figures.misses, figures.memory_hits) == (4, 4)


async def _report(application: bootstrap.Application, scope: TenantScope, store: str) -> PerformanceReport:
    return await application.performance.report(store, "last_30_days", scope, deadline=time.monotonic() + 20)


async def test_an_answer_of_more_than_a_thousand_rows_is_not_kept(planted: Planted) -> None:
    environment = planted.database.environment | {"QUERY_CACHE_SECONDS": "30", "QUERY_MAX_ROWS": "2000"}
    application = bootstrap.build(dataclasses.replace(planted.database, environment=environment).settings)
    scope = TenantScope(frozenset({STORES[0].store_id}), "ab" * 32)
    for rows, entries in ((1_001, 0), (1_000, 1)):
        sql = f"SELECT n FROM generate_series(1, {rows}) AS g (n)"
        result = await application.sales_queries.run(sql, scope, deadline=time.monotonic() + 20)
        assert (len(result.rows), application.result_cache.figures().entries) == (rows, entries)
