"""One read-only transaction of one tenant: the only way SQL reaches tenant rows.

BEGIN READ ONLY, then a single statement that sets everything locally and returns the store ids the database verified.
If they are not the ids that were signed, the call is an error: a skewed clock must not read as "no sales".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

from asyncpg.pool import PoolConnectionProxy

from zava.data.context_signers import Signers
from zava.data.database_errors import translated
from zava.data.isolation_proof import IsolationProof
from zava.data.pools import Pools
from zava.data.retail_schema import RETAIL_SCHEMA
from zava.data.tenant_context import ContextSigner, TenantScope
from zava.data.transaction import as_new, transaction
from zava.errors import IsolationError, QueryTimeoutError

# REPEATABLE READ: the statement that answers sees the keys the opening one saw, so none can be retired between the two,
# which would make the answer empty.
_BEGIN = as_new("ISOLATION LEVEL REPEATABLE READ READ ONLY NOT DEFERRABLE")

# RESET ALL goes back to the role's defaults, which are no wall, so what walls stand on is said again. With row_security
# off queries fail; without standard_conforming_strings a text ends elsewhere than the policy has read.
# search_path: public holds the vector operators; nobody but its owner may create anything in either schema.
_OPEN = f"""
SELECT set_config('zava.tenant_context', $1, true),
       set_config('statement_timeout', $2, true),
       set_config('lock_timeout', '2s', true),
       set_config('search_path', 'pg_catalog, {RETAIL_SCHEMA}, public', true),
       set_config('TimeZone', 'UTC', true),
       set_config('row_security', 'on', true),
       set_config('standard_conforming_strings', 'on', true),
       guard.current_store_ids() AS verified
"""


class TenantTransactions:
    """Opens tenant transactions on the reader's pool."""

    def __init__(self, pools: Pools, signers: Signers, proof: IsolationProof) -> None:
        self._pools = pools
        self._signers = signers
        self._proof = proof

    @asynccontextmanager
    async def open(
        self, scope: TenantScope, *, timeout_seconds: float, deadline: float
    ) -> AsyncGenerator[PoolConnectionProxy]:
        """Lend a connection inside a verified read-only transaction.

        `timeout_seconds` bounds each statement, `deadline` (on `time.monotonic`'s clock) everything, the wait for a
        connection included. asyncpg's and PostgreSQL's errors leave as errors of `zava.errors`.

        Raises:
            IsolationError: the database did not confirm the scope; nothing was read.
            QueryTimeoutError: a statement or the whole call ran into its limit.
            DatabaseUnavailableError: no connection, or it broke.
            ServiceUnavailableError: the signing key or the login's password cannot be had.
            DatabaseError: whatever else PostgreSQL said, by its SQLSTATE.
        """
        with translated(timeout_seconds):
            try:
                async with asyncio.timeout_at(_on_loop_clock(deadline)):
                    await self._proof.ensure()
                    await self._signers.current()  # fetched, if need be, before a connection is taken
                    async with self._pools.reader.connection() as connection, transaction(connection, _BEGIN):
                        statement_seconds = max(0.05, min(timeout_seconds, deadline - time.monotonic()))
                        await self._begin(connection, scope, statement_seconds)
                        yield connection
            except TimeoutError as problem:
                raise QueryTimeoutError(
                    "The call ran into its deadline.", "Ask for less: a shorter period, fewer joins, or an aggregate."
                ) from problem

    async def _begin(self, connection: PoolConnectionProxy, scope: TenantScope, statement_seconds: float) -> None:
        signer = await self._signers.current()
        limit = f"{int(statement_seconds * 1000)}ms"
        if await _verified(connection, signer, scope, limit):
            return
        # The key may have been replaced. While it is fetched the others' contexts would be refused as well.
        newer = await self._signers.current(refused=signer)
        if newer is signer or not await _verified(connection, newer, scope, limit):
            raise IsolationError(
                "The database did not confirm which stores this call may see, so nothing was read.",
                "Report this to the operator; trying again rarely helps.",
            )


async def _verified(connection: PoolConnectionProxy, signer: ContextSigner, scope: TenantScope, limit: str) -> bool:
    opened = await connection.fetchrow(_OPEN, signer.sign(scope), limit)
    verified: Iterable[UUID] | None = opened and opened["verified"]
    return frozenset(verified or ()) == scope.store_ids


def _on_loop_clock(deadline: float) -> float:
    return asyncio.get_running_loop().time() + (deadline - time.monotonic())
