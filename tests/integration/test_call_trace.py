"""The trace of one call alone tells where its time went."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan

from tests.conftest import Database
from tests.small_endpoint import handshake, tool
from tests.telemetry_in_memory import spans_in_memory
from zava import bootstrap

_ADMISSION = ["zava.admission.token_ms", "zava.admission.stores_ms", "zava.admission.limit_ms"]
_QUERY = ["zava.query.opening_ms", "zava.query.statement_ms", "zava.query.closing_ms"]


def _steps(span: ReadableSpan) -> dict[str, float]:
    return {
        name: value
        for name, value in (span.attributes or {}).items()
        if name.endswith("_ms") and isinstance(value, float)
    }


def _milliseconds(span: ReadableSpan) -> float:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e6


async def _spans(database: Database, *statements: str) -> dict[str, ReadableSpan]:
    """By name, of the call with the last statement; those before it warm the worker up."""
    application = bootstrap.build(database.settings)
    token = {"authorization": f"Bearer {database.cluster.issuer.mint('super_admin')}"}
    spans: list[ReadableSpan] = []
    try:
        for statement in statements:
            request = handshake("tools/call", tool("execute_sales_query", postgresql_query=statement))
            with spans_in_memory() as spans:
                reply = await application.endpoint.handle(request.method, request.headers | token, request.body)
            assert reply.status == 200
    finally:
        await application.pools.close()
    return {span.name: span for span in spans}


async def test_one_call_s_trace_says_how_long_each_step_took(database: Database) -> None:
    slow = "SELECT count(*) FROM orders AS o JOIN orders AS other ON other.store_id = o.store_id"
    spans = await _spans(database, "SELECT count(*) FROM stores", slow)
    assert list(spans) == ["policy", "query", "tools/call execute_sales_query"]
    call, query = spans["tools/call execute_sales_query"], spans["query"]
    assert list(_steps(call)) == _ADMISSION
    steps = _steps(query)
    assert list(steps) == _QUERY
    assert all(value > 0 for value in [*_steps(call).values(), *steps.values()])
    assert max(steps, key=steps.__getitem__) == "zava.query.statement_ms"
    assert 0.9 * _milliseconds(query) < sum(steps.values()) <= _milliseconds(query) + 0.01
    assert _milliseconds(spans["policy"]) + _milliseconds(query) <= _milliseconds(call)


async def test_of_a_statement_that_fails_the_steps_it_came_to_are_told(database: Database) -> None:
    spans = await _spans(database, "SELECT 1 / count(*) FROM stores WHERE store_name = 'none'")
    assert list(_steps(spans["query"])) == ["zava.query.opening_ms"]
    assert dict(spans["query"].attributes or {})["error.type"] == "QUERY_ERROR"
