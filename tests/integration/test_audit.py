"""One record a tool call and one a refused request: enough to know what happened, and nothing that is private."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
from typing import Any

import pytest

from tests.conftest import Database
from tests.small_endpoint import HttpRequest, handshake, tool
from zava import bootstrap
from zava.bootstrap import Application
from zava.local.stores import STORES

_SEATTLE = str(STORES[0].store_id)
_MANAGER = {"role": "store_manager", "stores": ["seattle"]}
_FOREIGN_STORE = {"x-rls-user-id": str(STORES[1].store_id)}
_FOREIGN_ORIGIN = {"origin": "https://evil.example"}
_SQL = "SELECT store_name FROM stores WHERE store_name <> 'Ada Lovelace' LIMIT 5"


async def records(
    application: Application, caplog: pytest.LogCaptureFixture, request: HttpRequest, token: str, **headers: str
) -> tuple[list[dict[str, Any]], str]:
    """The audit records of one request, without their times, and the request's correlation id."""
    named = request.headers | ({"authorization": f"Bearer {token}"} if token else {}) | headers
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="zava.audit"):
        reply = await application.endpoint.handle(request.method, named, request.body)
    found: list[dict[str, Any]] = []
    for record in caplog.records:
        if record.name == "zava.audit":
            fields = record.__dict__["custom_dimensions"]
            assert json.loads(record.getMessage()) == fields
            assert 0 <= fields.pop("milliseconds", 0) < 20_000
            found.append(fields)
    assert token == "" or token not in caplog.text
    return found, reply.headers["x-correlation-id"]


def _named(database: Database, subject: str) -> str:
    """The subject's keyed hash, worked out by hand: not to be had from the subject alone."""
    secret = database.cluster.secrets.tenant_signing_key.encode()
    key = hmac.digest(secret, b"zava: callers' names in telemetry", hashlib.sha256)
    plain = hashlib.sha256(f"zava-auth\n{subject}".encode()).hexdigest()
    return hmac.new(key, plain.encode(), hashlib.sha256).hexdigest()[:32]


def call(name: str, /, **arguments: object) -> HttpRequest:
    return handshake("tools/call", tool(name, **arguments))


async def test_a_call_leaves_one_record_without_literals_names_or_tokens(
    application: Application, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    token = database.cluster.issuer.mint("store_manager", stores=["seattle"], subject="ada@example.com")
    (record,), correlation_id = await records(
        application, caplog, call("execute_sales_query", postgresql_query=_SQL), token
    )
    fingerprint = record.pop("sql_fingerprint")
    assert record == {
        "event": "tool_call",
        "caller": _named(database, "ada@example.com"),
        "store_count": 1,
        "stores": _SEATTLE,
        "tool": "execute_sales_query",
        "rows": 1,
        "outcome": "OK",
        "correlation_id": correlation_id,
    }
    assert not re.search(r"\bada\b", caplog.text, re.IGNORECASE)
    other = _SQL.replace("Ada Lovelace", "Somebody Else")
    (same,), _ = await records(application, caplog, call("execute_sales_query", postgresql_query=other), token)
    assert same["sql_fingerprint"] == fingerprint
    assert len(fingerprint) == 16


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(
            call("execute_sales_query", postgresql_query="DELETE FROM orders"),
            {"tool": "execute_sales_query", "outcome": "QUERY_REFUSED"},
            id="a refused statement",
        ),
        pytest.param(
            call("execute_sales_query", postgresql_query="SELECT 1/0"),
            {"tool": "execute_sales_query", "outcome": "QUERY_ERROR"},
            id="a statement that fails",
        ),
        pytest.param(
            call("execute_sales_query", query="x"),
            {"tool": "execute_sales_query", "outcome": "VALIDATION_ERROR"},
            id="wrong arguments",
        ),
        pytest.param(call("secret_name"), {"tool": "unknown", "outcome": "VALIDATION_ERROR"}, id="an unknown tool"),
        pytest.param(
            call("get_current_utc_date"), {"tool": "get_current_utc_date", "outcome": "OK"}, id="a tool without rows"
        ),
        pytest.param(
            call("get_multiple_table_schemas", table_names=["orders", "stores"]),
            {"tool": "get_multiple_table_schemas", "outcome": "OK", "rows": 2},
            id="a tool with two items",
        ),
    ],
)
async def test_every_outcome_is_recorded(
    request_: HttpRequest,
    expected: dict[str, Any],
    application: Application,
    database: Database,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (record,), _ = await records(application, caplog, request_, database.cluster.issuer.mint("super_admin"))
    assert {name: record.get(name) for name in ("tool", "outcome", "rows")} == {"rows": None} | expected
    assert record["store_count"] == len(STORES)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(
            handshake("resources/read", {"uri": "zava://stores"}),
            {"event": "resource_read", "resource": "zava://stores", "outcome": "OK"},
            id="a resource",
        ),
        pytest.param(
            handshake("resources/read", {"uri": "zava://schema/ada"}),
            {"event": "resource_read", "resource": "zava://schema/{table}", "outcome": "VALIDATION_ERROR"},
            id="a table that is none",
        ),
        pytest.param(
            handshake("resources/read", {"uri": "zava://ada"}),
            {"event": "resource_read", "resource": "unknown", "outcome": "VALIDATION_ERROR"},
            id="a resource that is none",
        ),
        pytest.param(
            handshake("prompts/get", {"name": "find_products", "arguments": {"need": "ada"}}),
            {"event": "prompt_get", "prompt": "find_products", "outcome": "OK"},
            id="a prompt",
        ),
        pytest.param(
            handshake("prompts/get", {"name": "ada"}),
            {"event": "prompt_get", "prompt": "unknown", "outcome": "VALIDATION_ERROR"},
            id="a prompt that is none",
        ),
    ],
)
async def test_reads_and_prompts_are_recorded_without_what_the_caller_wrote(
    request_: HttpRequest,
    expected: dict[str, Any],
    application: Application,
    database: Database,
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = database.cluster.issuer.mint("store_manager", stores=["seattle"], subject="somebody")
    (record,), correlation_id = await records(application, caplog, request_, token)
    assert record == expected | {
        "caller": _named(database, "somebody"),
        "store_count": 1,
        "stores": _SEATTLE,
        "correlation_id": correlation_id,
    }
    assert not re.search(r"\bada\b", caplog.text)


async def test_a_call_without_the_permission_is_recorded_as_a_call_and_as_a_refusal(
    application: Application, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    token = database.cluster.issuer.mint("super_admin", permissions=["products.read"], subject="ada")
    caller = _named(database, "ada")
    request = call("execute_sales_query", postgresql_query=_SQL)
    (one, other), correlation_id = await records(application, caplog, request, token)
    assert (one["event"], one["outcome"], one["caller"]) == ("tool_call", "INSUFFICIENT_SCOPE", caller)
    assert other == {
        "event": "request_refused",
        "caller": caller,
        "status": 403,
        "outcome": "INSUFFICIENT_SCOPE",
        "reason": "The tool execute_sales_query needs the permission sales.read",
        "correlation_id": correlation_id,
    }


@pytest.mark.parametrize(
    ("claims", "headers", "status", "outcome", "known"),
    [
        pytest.param(None, {}, 401, "AUTHENTICATION_ERROR", False, id="no token"),
        pytest.param(_MANAGER, _FOREIGN_STORE, 403, "AUTHORIZATION_ERROR", True, id="a foreign store"),
        pytest.param(None, _FOREIGN_ORIGIN, 403, "AUTHORIZATION_ERROR", False, id="a foreign origin"),
    ],
)
async def test_a_request_refused_at_the_door_is_a_security_event(
    claims: dict[str, Any] | None,
    headers: dict[str, str],
    status: int,
    outcome: str,
    known: bool,
    application: Application,
    database: Database,
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = database.cluster.issuer.mint(**claims) if claims else ""
    (record,), correlation_id = await records(application, caplog, handshake("tools/list"), token, **headers)
    assert record.pop("reason")
    assert (len(record.pop("caller", "")) == 32) is known
    assert record == {
        "event": "request_refused",
        "status": status,
        "outcome": outcome,
        "correlation_id": correlation_id,
    }


async def test_a_throttled_call_is_a_security_event(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    limits = {"rate_limit_per_minute": 1, "rate_limit_burst": 1}
    application = bootstrap.build(database.settings.model_copy(update=limits))
    token = database.cluster.issuer.mint("super_admin", subject="throttled")
    try:
        assert (await records(application, caplog, handshake("tools/list"), token))[0] == []
        (record,), _ = await records(application, caplog, handshake("tools/list"), token)
    finally:
        await application.pools.close()
    assert (record["status"], record["outcome"], len(record["caller"])) == (429, "RATE_LIMITED", 32)
