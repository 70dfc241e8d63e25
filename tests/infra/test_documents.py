"""The documents on deployment and scaling say what the Bicep says, and the SQL in them runs."""

from __future__ import annotations

import json
import re
from itertools import pairwise

from tests.conftest import Database
from tests.infra.bicep.project import Project
from tests.infra.deployments import INFRA, PROFILES, PROJECT, deployment
from tests.infra.rules import ROLE_ASSIGNMENTS, connection_budget, database_parameters
from tests.infra.test_seeded_faults import FAULTS
from zava.data.tenant_context import ContextSigner, SigningKey, TenantScope

_DEPLOYMENT = (PROJECT / "docs" / "deployment.md").read_text("utf-8")
_SCALING = (PROJECT / "docs" / "scaling.md").read_text("utf-8")


def _rows(text: str, heading: str) -> list[list[str]]:
    """The rows of the first table after a heading, without its head."""
    lines = text.partition(f"## {heading}\n")[2].splitlines()
    table = [line for line in lines[: _end_of_table(lines)] if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def _end_of_table(lines: list[str]) -> int:
    return next(at for at, (line, after) in enumerate(pairwise(lines), 1) if line.startswith("|") and after[:1] != "|")


def test_every_role_is_listed_with_its_reason() -> None:
    rows = _rows(_DEPLOYMENT, "Roles")
    assert {(who, role, at) for who, role, at, _ in rows} == ROLE_ASSIGNMENTS
    assert all(reason for _, _, _, reason in rows)


def test_every_parameter_is_listed_with_its_name_and_default() -> None:
    parameters = Project(INFRA, None).file(INFRA / "main.bicep").parameters
    given = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
    rows = {row[0].strip("`"): row for row in _rows(_DEPLOYMENT, "Parameters")}
    assert list(rows) == list(parameters)
    for name, (_, variable, default, meaning) in rows.items():
        known, found, value = given.get(name, {"value": ""})["value"].strip("${}").partition("=")
        assert variable.strip("`") == known, name
        if found:
            assert default == (f"`{value}`" if value else "none"), name
        assert meaning, name


def test_the_table_of_fleets_is_the_budgets_arithmetic() -> None:
    small, production = deployment("small"), deployment("production")
    rows = _rows(_SCALING, "Connections")
    for count, wants, fits, pooled_wants, pooled_fits, behind in rows:
        instances = int(count)
        needed, limit = connection_budget(small, instances + 1)
        pooled_needed, pooled_limit = connection_budget(production, instances + 2)
        assert [wants, fits] == [str(needed), "fits" if needed <= limit else "breaks"]
        assert [pooled_wants, pooled_fits] == [
            str(pooled_needed),
            "fits" if pooled_needed <= pooled_limit else "breaks",
        ]
        assert int(behind) == min(pooled_needed, 100)
    assert {"1", "1000"} <= {row[0] for row in rows}


def test_what_the_document_has_the_database_log_is_what_is_deployed() -> None:
    page = (PROJECT / "docs" / "security.md").read_text("utf-8")
    named = dict(re.findall(r"^az postgres flexible-server .* --name (\w+) --value (\w+)$", page, re.MULTILINE))
    assert len(named) == 4
    for profile in PROFILES:
        assert named.items() <= database_parameters(deployment(profile)).items()


def test_the_number_of_seeded_faults_is_the_one_that_is_told() -> None:
    found = sum(fault.found for fault in FAULTS)
    told = f"Of {len(FAULTS)} mistakes seeded into the Bicep one at a time the checks find {found}"
    assert told in _DEPLOYMENT.replace("\n", " ")


async def test_orders_can_be_partitioned_by_month_as_the_document_says(fresh_database: Database) -> None:
    statements = re.findall(r"^```sql\n(.*?)^```", _SCALING, re.MULTILINE | re.DOTALL)
    connection = await fresh_database.superuser()
    try:
        for statement in statements:
            await connection.execute(statement)
        sums = "SELECT count(*), sum(total_amount) FROM retail.{}"
        for table in ("orders", "order_items"):
            before = await connection.fetchrow(sums.format(table))
            assert await connection.fetchrow(sums.format(f"{table}_by_month")) == before
        unforced = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'retail'::regnamespace AND relkind IN ('r', 'p') "
            "AND relname LIKE 'order%' AND NOT relforcerowsecurity"
        )
        assert unforced == []
        month = await connection.fetchval("SELECT max(order_date) FROM retail.orders")
        plan = await connection.fetchval(
            "EXPLAIN (FORMAT JSON) SELECT count(*) FROM retail.order_items_by_month "
            f"WHERE order_date >= date_trunc('month', '{month}'::timestamptz)"
        )
        assert len(set(re.findall(r'"order_items_\d{4}_\d{2}"', str(plan)))) == 1
        store = await connection.fetchval("SELECT store_id FROM retail.order_items LIMIT 1")
        assert store is not None
        own = await connection.fetchval("SELECT count(*) FROM retail.order_items WHERE store_id = $1", store)
        key = SigningKey.parse(fresh_database.cluster.secrets.tenant_signing_key)
        signed = ContextSigner(key).sign(TenantScope(frozenset({store}), "0" * 64))
        async with connection.transaction():
            await connection.execute("SET LOCAL ROLE zava_reader")
            assert await connection.fetchval("SELECT count(*) FROM retail.order_items_by_month") == 0
            await connection.execute("SELECT set_config('zava.tenant_context', $1, true)", signed)
            assert await connection.fetchval("SELECT count(*) FROM retail.order_items_by_month") == own
    finally:
        await connection.close()
