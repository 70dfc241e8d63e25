"""The databases of these tests: one with canaries in every tenant's rows, and a twin that holds Seattle's alone."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from tests.conftest import Database
from tests.security.canaries import Evidence, plant, remove_other_stores
from zava.data.isolation_proof import IsolationProof
from zava.data.pools import Pools
from zava.data.tenant_context import ContextSigner, SigningKey, TenantScope
from zava.data.tenant_transaction import TenantTransactions
from zava.local.stores import STORES

SEATTLE = STORES[0]
SEATTLE_SCOPE = TenantScope(frozenset({SEATTLE.store_id}), "5e" * 32)
SECOND_KEY = SigningKey.generate("second1")
RETIRED_KEY = SigningKey.generate("retired1")


@dataclass(frozen=True, slots=True)
class Planted:
    """A database with the app's own parts, a superuser's eye on it, and what betrays a row's owner."""

    database: Database
    pools: Pools
    proof: IsolationProof
    transactions: TenantTransactions
    superuser: asyncpg.Connection
    evidence: Evidence

    @property
    def signer(self) -> ContextSigner:
        return ContextSigner(self.signing_key)

    @property
    def signing_key(self) -> SigningKey:
        return signing_key_of(self.database)

    async def end_sessions_of_tenants(self) -> int:
        """Terminate every session of the reader login in this database; how many there were."""
        ended = await self.superuser.fetch(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE usename = 'zava_reader' AND datname = current_database()"""
        )
        return len(ended)

    async def mend_reader(self) -> None:
        """Undo what a session of the reader can do to its own role once READ ONLY is gone: password and settings."""
        await self.superuser.execute("ALTER ROLE zava_reader RESET ALL")
        await self.superuser.execute(f"ALTER ROLE zava_reader IN DATABASE {self.database.name} RESET ALL")
        await self.database.prepare_roles()


async def make_planted(database: Database) -> None:
    """Plant the canaries into a database, and two more signing keys: one accepted, one that has ended."""
    superuser = await database.superuser()
    await plant(superuser)
    for key, not_after in ((SECOND_KEY, "NULL"), (RETIRED_KEY, "now() - interval '1 minute'")):
        await superuser.execute(
            f"INSERT INTO guard.context_key VALUES ($1, $2, $3, {not_after})", key.key_id, *key.pads()
        )
    await superuser.close()


async def make_twin(planted: Database, name: str) -> Database:
    """A copy of a planted database from which every other store is removed."""
    twin = await copy_of(planted, name)
    superuser = await twin.superuser()
    await remove_other_stores(superuser, SEATTLE.store_id)
    await superuser.close()
    return twin


async def copy_of(database: Database, name: str) -> Database:
    """A copy, block by block, of a database nobody is connected to."""
    maintenance = await database.cluster.superuser("postgres").open()
    await maintenance.execute(f"CREATE DATABASE {name} TEMPLATE {database.name} OWNER zava_admin")
    await maintenance.close()
    copy = dataclasses.replace(database, name=name, environment=database.environment | {"POSTGRES_DATABASE": name})
    await copy.prepare_roles()
    return copy


def signing_key_of(database: Database) -> SigningKey:
    return SigningKey.parse(database.cluster.secrets.tenant_signing_key)


@asynccontextmanager
async def opened(database: Database) -> AsyncGenerator[Planted]:
    """The parts for one database; what they opened is closed afterwards."""
    superuser = await database.superuser()
    pools, key = Pools(database.settings), signing_key_of(database)
    proof = IsolationProof(pools, ContextSigner(key))
    transactions = TenantTransactions(pools, ContextSigner(key), proof)
    try:
        yield Planted(database, pools, proof, transactions, superuser, await Evidence.collect(superuser))
    finally:
        await pools.close()
        await superuser.close()
