"""Proves that a restored copy of the database is complete, and keeps tenants apart as the original does.

    python -m zava.data.backup_check                            # the checks, one a line
    python -m zava.data.backup_check --write figures.json       # on the original: keep its row counts
    python -m zava.data.backup_check --at-least figures.json    # on the copy: no table may have fewer

Changes nothing. Connects as an administrator of the copy: POSTGRES_HOST, POSTGRES_PORT, POSTGRES_DATABASE,
POSTGRES_SSLMODE, POSTGRES_ADMIN_USER and POSTGRES_ADMIN_PASSWORD (or an access token). Exit codes: 0 all holds,
1 something does not, 2 a setting is missing. A copy accepts the signing keys of the original: rotate them as
docs/operations.md says.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from zava.data import command, retail_checks
from zava.data.administration import AdministratorConnection
from zava.data.isolation_proof import failed_checks
from zava.data.migrate import newest_migration
from zava.data.retail_checks import Question
from zava.data.retail_schema import RETAIL_SCHEMA, RETAIL_TABLES
from zava.data.signing_keys import insert_key
from zava.data.tenant_context import ContextSigner, SigningKey, TenantScope

# Only the app's own sessions log in as the reader; here an administrator acts as it.
_NOT_HERE = "session_is_the_logins_own"
_SUBJECT = "0" * 64

_BROKEN_CONSTRAINTS = """
SELECT conrelid::regclass || '.' || conname FROM pg_constraint
WHERE connamespace IN ($1::text::regnamespace, 'zava'::regnamespace) AND NOT convalidated ORDER BY 1
"""
_BROKEN_INDEXES = """
SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid
WHERE c.relnamespace IN ($1::text::regnamespace, 'zava'::regnamespace) AND NOT indisvalid ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    what: str
    found: str
    holds: bool

    def __str__(self) -> str:
        return f"{'ok    ' if self.holds else 'FAILED'}  {self.what}: {self.found}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m zava.data.backup_check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    figures = parser.add_mutually_exclusive_group()
    figures.add_argument("--write", type=Path, metavar="FILE", help="write this database's row counts to a file")
    figures.add_argument("--at-least", type=Path, metavar="FILE", help="a file that --write made, of the original")
    options = parser.parse_args(arguments)
    holds = True

    async def report(administrator: AdministratorConnection) -> str:
        nonlocal holds
        least: dict[str, int] = json.loads(options.at_least.read_text("utf-8")) if options.at_least else {}
        counts, findings = await check(administrator, least)
        if options.write:
            options.write.write_text(json.dumps(counts, indent=2) + "\n", "utf-8")
        holds = all(finding.holds for finding in findings)
        verdict = "The copy is complete and keeps tenants apart." if holds else "Do not let this copy serve anybody."
        return "\n".join([*map(str, findings), verdict])

    return command.run(report) or (0 if holds else 1)


async def check(
    administrator: AdministratorConnection, least: Mapping[str, int]
) -> tuple[dict[str, int], list[Finding]]:
    """Rows by table, and what was found; `least` are the fewest rows a table must have, one where it is not named."""
    connection = await administrator.open()
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("GRANT zava_reader TO CURRENT_USER")  # taken back with everything else below
        findings = await _structure(connection)
        stores = await _act_as(connection, "zava_guard", "SELECT array_agg(store_id) FROM guard.store_directory")
        key = SigningKey.generate("check")
        await insert_key(connection, key)
        signer = ContextSigner(key)
        await connection.execute("SET LOCAL ROLE zava_reader")
        failed = [name for name in await failed_checks(connection, signer, signer) if name != _NOT_HERE]
        findings.append(Finding("tenants are kept apart", ", ".join(failed) or "every check holds", not failed))
        if not stores:
            return {}, [*findings, Finding("stores", "none", holds=False)]
        scope = TenantScope(frozenset(stores), _SUBJECT)
        await connection.execute("SELECT set_config('zava.tenant_context', $1, true)", signer.sign(scope))
        counts = {table: await _rows(connection, table) for table in RETAIL_TABLES}
        findings += [_enough(table, rows, least.get(table, 1)) for table, rows in counts.items()]
        return counts, findings + await _answers(connection, retail_checks.OF_TENANT_ROWS)
    finally:
        await transaction.rollback()
        await connection.close()


async def _structure(connection: asyncpg.Connection) -> list[Finding]:
    newest = newest_migration()
    migration = await _act_as(connection, "zava_owner", "SELECT version_num FROM zava.migrations")
    unproved = [row[0] for row in await connection.fetch(_BROKEN_CONSTRAINTS, RETAIL_SCHEMA)]
    unusable = [row[0] for row in await connection.fetch(_BROKEN_INDEXES, RETAIL_SCHEMA)]
    return [
        Finding("migration", f"{migration}, this code has {newest}", migration == newest),
        Finding("constraints", ", ".join(unproved) or "all proved", not unproved),
        Finding("indexes", ", ".join(unusable) or "all usable", not unusable),
        *await _answers(connection, retail_checks.OF_SHARED_ROWS),
    ]


async def _answers(connection: asyncpg.Connection, questions: Iterable[Question]) -> list[Finding]:
    findings: list[Finding] = []
    for question in questions:
        value: object = await connection.fetchval(question.sql)
        findings.append(Finding(question.what, str(value), value == 0 or not question.must_be_zero))
    return findings


async def _act_as(connection: asyncpg.Connection, role: str, sql: str) -> Any:
    await connection.execute(f"SET LOCAL ROLE {role}")
    return await connection.fetchval(sql)


async def _rows(connection: asyncpg.Connection, table: str) -> int:
    return int(await connection.fetchval(f"SELECT count(*) FROM {RETAIL_SCHEMA}.{table}") or 0)  # noqa: S608


def _enough(table: str, rows: int, least: int) -> Finding:
    short = f", at least {least} expected" if rows < least else ""
    return Finding(table, f"{rows} rows{short}", rows >= least)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
