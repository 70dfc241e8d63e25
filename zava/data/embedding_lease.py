"""One refresh of a model's vectors at a time, over all instances, and a record of each.

A row with an end instead of a lock: behind a pooler in transaction mode a session's lock is anybody's, and a
transaction's lock would end with each batch. The holder names its run in every transaction that writes vectors; one
that was taken for dead, and is not, finds another run's number there and writes nothing (a fencing token).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asyncpg.pool import PoolConnectionProxy

from zava.data.app_transaction import app_transaction
from zava.data.pools import Pools

LEASE_SECONDS = 150.0
"""Longer than any step between two extensions: a request with its 60 seconds, a wait of 60, a batch being saved."""

_TAKE = """
INSERT INTO zava.embedding_lease AS l (embedding_model, run_id, holds_until)
VALUES ($1, $2, now() + make_interval(secs => $3))
ON CONFLICT (embedding_model) DO UPDATE SET run_id = excluded.run_id, holds_until = excluded.holds_until
WHERE l.holds_until <= now() RETURNING true
"""


class LeaseLostError(Exception):
    """Another run holds the lease: this one took too long and was taken for dead."""


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What a run did: products looked at, embedded and refused, requests made and tokens paid for."""

    seen: int = 0
    embedded: int = 0
    refused: int = 0
    requests: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write vectors while it lasts; `run_id` grows with every run."""

    run_id: int
    seconds: float

    async def extend(self, connection: PoolConnectionProxy) -> None:
        """Hold the lease from now on, and its row until the transaction ends.

        Raises:
            LeaseLostError: another run has it.
        """
        held = await connection.fetchval(
            """UPDATE zava.embedding_lease SET holds_until = now() + make_interval(secs => $2)
               WHERE run_id = $1 RETURNING true""",
            self.run_id,
            self.seconds,
        )
        if not held:
            raise LeaseLostError


class EmbeddingLeases:
    def __init__(self, pools: Pools, seconds: float = LEASE_SECONDS) -> None:
        self._pools = pools
        self._seconds = seconds

    async def take(self, model: str) -> Lease | None:
        """Begin a run of `model`, or None while another run is on.

        Raises:
            DatabaseError: and its kin, as `app_transaction` lists them.
        """
        async with app_transaction(self._pools) as connection:
            run_id: int = await connection.fetchval(
                "INSERT INTO zava.embedding_run (embedding_model) VALUES ($1) RETURNING run_id", model
            )
            if not await connection.fetchval(_TAKE, model, run_id, self._seconds):
                await connection.execute("DELETE FROM zava.embedding_run WHERE run_id = $1", run_id)
                return None
            await connection.execute(
                """UPDATE zava.embedding_run SET outcome = 'abandoned', finished_at = now()
                   WHERE outcome IS NULL AND embedding_model = $1 AND run_id <> $2""",
                model,
                run_id,
            )
            await connection.execute("DELETE FROM zava.embedding_run WHERE started_at < now() - interval '90 days'")
            return Lease(run_id, self._seconds)

    async def extend(self, lease: Lease) -> None:
        """Raises LeaseLostError, DatabaseError."""
        async with app_transaction(self._pools) as connection:
            await lease.extend(connection)

    async def end(
        self, lease: Lease, outcome: Literal["completed", "stopped", "failed"], figures: RunFigures, problem: str | None
    ) -> None:
        """Complete the run's record and free the lease, if it is still this run's.

        Raises:
            DatabaseError: and its kin, as `app_transaction` lists them.
        """
        async with app_transaction(self._pools) as connection:
            await connection.execute(
                """UPDATE zava.embedding_run SET outcome = $2, finished_at = now(), seen = $3, embedded = $4,
                          refused = $5, requests = $6, tokens = $7, problem = $8
                   WHERE run_id = $1 AND outcome IS NULL""",
                lease.run_id,
                outcome,
                figures.seen,
                figures.embedded,
                figures.refused,
                figures.requests,
                figures.tokens,
                problem,
            )
            await connection.execute("DELETE FROM zava.embedding_lease WHERE run_id = $1", lease.run_id)
