"""Proof, on the database as it is, that tenants are kept apart; while it fails, no tenant data is served.

Every check is asked as the reader login, with nothing but what that login may see. A failed check has a name, which the
log and the readiness report repeat; neither holds anything secret. `docs/security.md` says what each one stops.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TypeAlias
from uuid import uuid4

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from zava.data.context_signers import Signers
from zava.data.database_errors import translated
from zava.data.pools import Pools
from zava.data.retail_schema import RETAIL_SCHEMA, SHARED_TABLES, TENANT_KEY, TENANT_TABLES
from zava.data.tenant_context import ContextSigner, SigningKey, TenantScope
from zava.data.transaction import as_new, transaction
from zava.errors import DatabaseError, DatabaseUnavailableError, IsolationError
from zava.platform import telemetry
from zava.platform.shared_task import is_under_way

AnyConnection: TypeAlias = asyncpg.Connection | PoolConnectionProxy

_log = logging.getLogger(__name__)

_PROVED_SECONDS = 300.0
_FAILED_SECONDS = 5.0
_CHECK_SECONDS = 10.0
_AN_HOUR = 3_600
_CANNOT_BE_MADE = "checks_can_be_made"

# One column a check; true means it holds. Written against the catalogue, so that a table added later is checked too.
# $1 is the schema, $2 the tenant key, $3 the tables with tenants' rows, $4 those that everybody may read.
_CHECKS = """
WITH me AS (SELECT * FROM pg_roles WHERE rolname = current_user),
ours AS (
    SELECT c.*, EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = $2::text
                        AND NOT a.attisdropped) AS is_tenants
    FROM pg_class AS c WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
)
SELECT
    (SELECT NOT (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication) FROM me) AS login_is_plain,
    current_user = session_user AS session_is_the_logins_own,
    NOT EXISTS (SELECT FROM pg_auth_members AS m, me WHERE m.member = me.oid) AS login_is_member_of_nothing,
    NOT EXISTS (SELECT FROM pg_class AS c, me WHERE c.relowner = me.oid)
        AND NOT EXISTS (SELECT FROM pg_proc AS p, me WHERE p.proowner = me.oid)
        AND NOT EXISTS (SELECT FROM pg_namespace AS n, me WHERE n.nspowner = me.oid)
        AND NOT EXISTS (SELECT FROM pg_database AS d, me WHERE d.datdba = me.oid) AS login_owns_nothing,
    NOT has_database_privilege(current_database(), 'CREATE') AND NOT has_database_privilege(current_database(), 'TEMP')
        AND NOT EXISTS (SELECT FROM pg_namespace WHERE has_schema_privilege(oid, 'CREATE'))
        AND NOT EXISTS (
            SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
              AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
              AND (has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                   OR has_any_column_privilege(c.oid, 'INSERT, UPDATE, REFERENCES'))) AS login_only_reads,
    NOT EXISTS (
        SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', $1::text) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
          AND has_any_column_privilege(c.oid, 'SELECT')) AS login_reads_only_retail,
    (SELECT array_agg(relname::text) @> $3
            AND bool_and(relkind IN ('r', 'p') AND relrowsecurity AND relforcerowsecurity)
       FROM ours WHERE is_tenants) AS row_security_is_forced,
    -- A view runs with its owner's rights, and a table without the tenant key must be one of those that all may read.
    (SELECT bool_and(relkind IN ('r', 'p') AND (is_tenants OR relname = ANY ($4::text[])))
       FROM ours WHERE has_any_column_privilege(oid, 'SELECT')) AS every_readable_table_is_known,
    (SELECT bool_and((SELECT count(*) FROM pg_policy AS p WHERE p.polrelid = ours.oid) = 1
                     AND EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = ours.oid AND p.polcmd = 'r'
                         AND pg_get_expr(p.polqual, p.polrelid)
                             = format('(%I = ANY (( SELECT guard.current_store_ids() AS current_store_ids)::uuid[]))',
                                      $2::text)))
       FROM ours WHERE is_tenants) AS policies_are_ours,
    (SELECT p.prosecdef AND NOT r.rolcanlogin AND NOT r.rolsuper AND l.lanname = 'plpgsql'
       FROM pg_proc AS p JOIN pg_roles AS r ON r.oid = p.proowner JOIN pg_language AS l ON l.oid = p.prolang
      WHERE p.oid = 'guard.current_store_ids()'::regprocedure)
        AS guard_is_locked_up,
    NOT EXISTS (
        SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')
          AND p.oid <> 'guard.current_store_ids()'::regprocedure AND has_function_privilege(p.oid, 'EXECUTE')
          AND has_schema_privilege(n.oid, 'USAGE')) AS no_other_function_lends_rights
"""

_SET_CONTEXT = "SELECT set_config('zava.tenant_context', $1, true), guard.current_store_ids() AS verified"
_TENANT_ROWS = f"SELECT {' OR '.join(f'EXISTS (SELECT FROM {RETAIL_SCHEMA}.{name})' for name in TENANT_TABLES)}"  # noqa: S608


class IsolationProof:
    """Runs the checks, remembers what they said, and lets tenant data through only while they hold.

    Args:
        signers: the app's own; a context signed with their key must be confirmed, one signed with any other must not.
        clock: seconds, monotonic.
    """

    def __init__(self, pools: Pools, signers: Signers, clock: Callable[[], float] = time.monotonic) -> None:
        self._pools = pools
        self._signers = signers
        self._clock = clock
        self._failed: tuple[str, ...] | None = None
        self._fresh_until = float("-inf")
        self._running: asyncio.Task[tuple[str, ...]] | None = None

    async def ensure(self) -> None:
        """Return when isolation is proved; a proof holds for five minutes, a failure for five seconds.

        Raises:
            IsolationError: a check failed; the log says which.
            DatabaseUnavailableError: the database could not be asked.
        """
        failed = self._failed if self._failed is not None and self._clock() < self._fresh_until else await self.run()
        if failed:
            raise IsolationError(
                "The database did not prove that tenants are kept apart, so no data is served.",
                "The operator finds the failed check in the log; trying again rarely helps.",
            )

    async def run(self) -> tuple[str, ...]:
        """Check now and return the names of what failed. Concurrent callers share one run."""
        running = self._running
        if not is_under_way(running):
            running = self._running = asyncio.ensure_future(self._check())
        return await asyncio.shield(running)

    async def _check(self) -> tuple[str, ...]:
        signer = await self._signers.current()  # before a connection is taken
        try:
            with translated():
                # Everybody waits for this one run, so it must end: without a word of the server, too.
                async with (
                    asyncio.timeout(_CHECK_SECONDS),
                    self._pools.reader.connection() as connection,
                    transaction(connection, as_new("READ ONLY")),  # what a model's SQL left must not fail it
                ):
                    failed = await failed_checks(connection, self._signers, signer)
        except DatabaseUnavailableError:
            raise
        except DatabaseError:
            failed = [_CANNOT_BE_MADE]  # the guard's function is missing, or may not be called
        self._failed = tuple(failed)
        self._fresh_until = self._clock() + (_FAILED_SECONDS if failed else _PROVED_SECONDS)
        if failed:
            for name in failed:
                telemetry.count("isolation_refused", check=name)
            telemetry.event("isolation_refused", checks=", ".join(failed))
            _log.critical("isolation is not proved, tenant data is not served; failed checks: %s", ", ".join(failed))
        return self._failed


async def failed_checks(connection: AnyConnection, signers: Signers, signer: ContextSigner) -> list[str]:
    """The names of the checks that fail, asked as the connection's role inside its transaction."""
    row = await connection.fetchrow(_CHECKS, RETAIL_SCHEMA, TENANT_KEY, list(TENANT_TABLES), list(SHARED_TABLES))
    failed = [name for name, holds in row.items() if holds is not True] if row else [_CANNOT_BE_MADE]
    nobody = TenantScope(frozenset({uuid4()}), "0" * 64)
    if await connection.fetchval(_TENANT_ROWS):
        failed.append("without_context_no_row_is_seen")
    if not await _confirms(connection, signer, nobody):
        refused, signer = signer, await signers.current(refused=signer)
        if signer is refused or not await _confirms(connection, signer, nobody):
            failed.append("own_context_is_confirmed")
    strangers = {
        "forged_context_sees_nothing": ContextSigner(SigningKey.generate(signer.key_id)),
        "expired_context_sees_nothing": signer.shifted(-_AN_HOUR),
        "long_lived_context_sees_nothing": signer.shifted(_AN_HOUR),
    }
    for name, stranger in strangers.items():
        verified = await connection.fetchval(_SET_CONTEXT, stranger.sign(nobody), column=1)
        if verified or await connection.fetchval(_TENANT_ROWS):
            failed.append(name)
    return failed


async def _confirms(connection: AnyConnection, signer: ContextSigner, scope: TenantScope) -> bool:
    return frozenset(await connection.fetchval(_SET_CONTEXT, signer.sign(scope), column=1) or ()) == scope.store_ids
