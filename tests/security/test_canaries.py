"""The planted databases are what the other tests take them for: every row has an owner that any form of it betrays."""

from __future__ import annotations

import pytest

from tests.security.canaries import CANARIES, TENANT_TABLES
from tests.security.planted import SEATTLE, SEATTLE_SCOPE, Planted
from tests.security.ways import Outcome, SimpleProtocol
from zava.local.stores import STORES

_EVERYBODY = frozenset(CANARIES)

# Forms in which rows could come back, made by a superuser who sees them all.
_FORMS = {
    "rows": "SELECT * FROM retail.{table}",
    "texts of rows": "SELECT t::text FROM retail.{table} AS t",
    "arrays": "SELECT array_agg(t) FROM retail.{table} AS t",
    "json": "SELECT jsonb_agg(to_jsonb(t)) FROM retail.{table} AS t",
    "one text": "SELECT string_agg(upper(t::text), '/') FROM retail.{table} AS t",
}
# One column at a time, as an extremum or a single value would show it.
_VALUES = {
    "place": ("stores", "location"),
    "manager": ("stores", "manager_id"),
    "first name": ("customers", "first_name"),
    "address": ("customers", "email"),
    "telephone": ("customers", "phone"),
    "customer": ("customers", "customer_id"),
    "stock": ("inventory", "max(stock_level)"),
    "order": ("orders", "order_id"),
    "amount of an order": ("orders", "max(total_amount)"),
    "amount as a double": ("orders", "max(total_amount)::float8"),
    "line": ("order_items", "order_item_id"),
    "pieces": ("order_items", "max(quantity)"),
    "price": ("order_items", "max(unit_price)"),
    "discount": ("order_items", "max(discount_amount)"),
    "amount of a line": ("order_items", "max(total_amount)"),
}


@pytest.mark.parametrize("table", TENANT_TABLES)
@pytest.mark.parametrize("form", _FORMS.values(), ids=_FORMS)
async def test_rows_of_all_stores_are_recognised_in_any_form(form: str, table: str, planted: Planted) -> None:
    rows = await planted.superuser.fetch(form.format(table=table))
    outcome = Outcome(rows=tuple(tuple(row.values()) for row in rows))
    assert planted.evidence.owners(outcome.text) == _EVERYBODY


@pytest.mark.parametrize(("table", "value"), _VALUES.values(), ids=_VALUES)
async def test_a_single_value_is_recognised(table: str, value: str, planted: Planted) -> None:
    grouped = " GROUP BY store_id" if "(" in value else ""
    rows = await planted.superuser.fetch(f"SELECT {value} FROM retail.{table}{grouped}")
    assert planted.evidence.owners(Outcome(rows=tuple(map(tuple, rows))).text) == _EVERYBODY


def test_a_canary_is_recognised_in_errors_messages_and_names_but_not_when_it_was_asked_for(planted: Planted) -> None:
    email = CANARIES["tacoma"].email
    for outcome in (Outcome((f"the {email}",)), Outcome(error=f'bad "{email}"'), Outcome(messages=(email,))):
        assert planted.evidence.of_others(outcome.text, "seattle") == {"tacoma"}
        assert planted.evidence.of_others(outcome.text, "tacoma") == frozenset()
        assert planted.evidence.of_others(outcome.text, asked=f"SELECT '{email}'") == frozenset()


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_the_twin_holds_seattles_rows_and_no_other(table: str, planted: Planted, twin: Planted) -> None:
    query = f"SELECT t::text FROM retail.{table} AS t WHERE store_id = $1"
    own = await planted.superuser.fetch(query, SEATTLE.store_id)
    assert own == await twin.superuser.fetch(query, SEATTLE.store_id)
    assert len(own) == await twin.superuser.fetchval(f"SELECT count(*) FROM retail.{table}")
    for store in STORES[1:]:
        assert await planted.superuser.fetch(query, store.store_id), "every store has rows"


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_both_databases_plan_a_tenants_query_alike(table: str, planted: Planted, twin: Planted) -> None:
    """So their answers can be compared in order, and to the last digit of a sum of floats."""
    sql = f"EXPLAIN (VERBOSE) SELECT * FROM retail.{table} AS t JOIN retail.stores AS s USING (store_id)"
    plans = [await SimpleProtocol(parts.transactions, SEATTLE_SCOPE).run(sql) for parts in (planted, twin)]
    assert plans[0].rows
    assert plans[0] == plans[1]
