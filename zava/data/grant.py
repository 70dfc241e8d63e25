"""Grants stores and regions to a subject whose token carries no claim about them.

    python -m zava.data.grant list
    python -m zava.data.grant add ISSUER SUBJECT --store "Zava Retail Seattle" --store UUID --region puget-sound
    python -m zava.data.grant remove ISSUER SUBJECT                 # everything; or --store / --region for a part

With Entra ID the issuer is https://login.microsoftonline.com/<tenant id>/v2.0 and the subject <tenant id>:<object id>.
A grant does nothing without the role: stores count for a store_manager, regions for a regional_manager. Workers see a
change within half a minute. Connects as an administrator: POSTGRES_HOST, POSTGRES_PORT, POSTGRES_DATABASE,
POSTGRES_SSLMODE, POSTGRES_ADMIN_USER and POSTGRES_ADMIN_PASSWORD (or an access token).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from zava.data import command
from zava.data.administration import AdministratorConnection


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m zava.data.grant", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show who was granted what")
    for name, text in (("add", "grant stores or regions"), ("remove", "take them back; all, when none is named")):
        one = commands.add_parser(name, help=text)
        one.add_argument("issuer")
        one.add_argument("subject")
        one.add_argument("--store", action="append", default=[], metavar="ID_OR_NAME")
        one.add_argument("--region", action="append", default=[])
    options = parser.parse_args(arguments)

    async def work(administrator: AdministratorConnection) -> str:
        if options.command == "list":
            return await _listed(administrator)
        async with command.as_role(administrator, "zava_guard") as connection:
            stores = [await _store_id(connection, name) for name in options.store]
            regions = [await _region(connection, name) for name in options.region]
        if options.command == "add":
            return await _add(administrator, options.issuer, options.subject, stores, regions)
        return await _remove(administrator, options.issuer, options.subject, stores, regions)

    return command.run(work)


async def _listed(administrator: AdministratorConnection) -> str:
    async with command.as_role(administrator, "zava_owner") as connection:
        rows = await connection.fetch("SELECT issuer, subject, stores, regions FROM zava.grants ORDER BY 1, 2")
    return "\n".join(_line(row) for row in rows) or "Nothing is granted."


async def _store_id(connection: asyncpg.Connection, name: str) -> UUID:
    store_id: UUID | None = await connection.fetchval(
        "SELECT store_id FROM guard.store_directory WHERE store_id::text = lower($1) OR lower(store_name) = lower($1)",
        name,
    )
    if store_id is None:
        raise ValueError(f"there is no store {name!r}")
    return store_id


async def _region(connection: asyncpg.Connection, name: str) -> str:
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM guard.store_directory WHERE region = $1)", name):
        raise ValueError(f"there is no region {name!r}")
    return name


async def _add(
    administrator: AdministratorConnection, issuer: str, subject: str, stores: list[UUID], regions: list[str]
) -> str:
    if not stores and not regions:
        raise ValueError("name a --store or a --region")
    async with command.as_role(administrator, "zava_owner") as connection:
        row = await connection.fetchrow(
            """INSERT INTO zava.grants AS g (issuer, subject, stores, regions) VALUES ($1, $2, $3, $4)
               ON CONFLICT (issuer, subject) DO UPDATE SET changed_at = now(),
                   stores = ARRAY(SELECT DISTINCT unnest(g.stores || excluded.stores) ORDER BY 1),
                   regions = ARRAY(SELECT DISTINCT unnest(g.regions || excluded.regions) ORDER BY 1)
               RETURNING issuer, subject, stores, regions""",
            issuer,
            subject,
            sorted(set(stores)),
            sorted(set(regions)),
        )
    return _line(row)


async def _remove(
    administrator: AdministratorConnection, issuer: str, subject: str, stores: list[UUID], regions: list[str]
) -> str:
    async with command.as_role(administrator, "zava_owner") as connection:
        row = await connection.fetchrow(
            "SELECT stores, regions FROM zava.grants WHERE issuer = $1 AND subject = $2 FOR UPDATE", issuer, subject
        )
        if row is None:
            raise ValueError(f"nothing is granted to {subject}")
        everything = not stores and not regions
        left_stores = [] if everything else [store for store in row["stores"] if store not in stores]
        left_regions = [] if everything else [region for region in row["regions"] if region not in regions]
        if not left_stores and not left_regions:
            await connection.execute("DELETE FROM zava.grants WHERE issuer = $1 AND subject = $2", issuer, subject)
            return f"{subject} has no grant any more."
        row = await connection.fetchrow(
            """UPDATE zava.grants SET stores = $3, regions = $4, changed_at = now()
               WHERE issuer = $1 AND subject = $2 RETURNING issuer, subject, stores, regions""",
            issuer,
            subject,
            left_stores,
            left_regions,
        )
    return _line(row)


def _line(row: asyncpg.Record | None) -> str:
    if row is None:
        raise ValueError("the database did not say what is granted now")
    granted = ", ".join([*map(str, row["stores"]), *row["regions"]])
    return f"{row['issuer']}  {row['subject']}  {granted}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
