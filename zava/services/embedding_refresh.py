"""Keeps products' vectors fresh: embeds those that have none, or whose text has changed since.

`python -m zava.services.embedding_refresh --help` lists what can be done by hand (`embedding_commands.py`).
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias
from uuid import UUID

from zava.data.embedding_lease import EmbeddingLeases, Lease, LeaseLostError, RunFigures
from zava.data.embedding_models import EmbeddingModels
from zava.data.embedding_store import EmbeddingStore
from zava.errors import MCPError
from zava.platform import telemetry
from zava.platform.embedders.choice import Embedders
from zava.platform.embedders.embedder import EmbedderUnavailableError
from zava.services.embedding_batch import BatchEmbedder

logger = logging.getLogger(__name__)

TIMER_SECONDS = 180.0
"""How long the timer begins batches: the function's own limit is 300 s, and a batch may take more than a minute."""

OnProgress: TypeAlias = Callable[[int, int], object]
"""Called with how many stale products were dealt with, and how many there were."""
_Ended: TypeAlias = Literal["completed", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What a run did.

    `stopped`: its time was over, or the embedder asked for a longer wait than it has; the next run goes on from there.
    `failed`: see `problem`. `busy`: another run of this model is on, and this one did nothing.
    """

    outcome: Literal["completed", "stopped", "failed", "busy"]
    model: str
    figures: RunFigures
    milliseconds: int
    problem: str | None = None


class EmbeddingRefresh:
    def __init__(
        self, store: EmbeddingStore, leases: EmbeddingLeases, models: EmbeddingModels, embedders: Embedders
    ) -> None:
        self._store = store
        self._leases = leases
        self._models = models
        self._embedders = embedders

    async def run(
        self,
        *,
        model: str | None = None,
        seconds: float = float("inf"),
        on_progress: OnProgress = lambda _done, _stale: None,
    ) -> RefreshReport:
        """Embed batch by batch until nothing is stale; what a batch saved stays saved, whatever comes after.

        Args:
            model: by default the one that search uses, or, in a database without any, the one the settings name, which
                search then uses.
            seconds: when they are over no further batch is begun.

        Raises:
            DatabaseError: and its kin: the database could not even be asked to begin.
        """
        started = time.monotonic()
        active = await self._models.active()
        chosen = model or active or self._embedders.configured_model
        lease = await self._leases.take(chosen)
        if lease is None:
            telemetry.count("embedding_refresh_run", outcome="busy")
            return RefreshReport("busy", chosen, RunFigures(), 0, "another refresh of this model is running")
        run = _Run(self._store, self._leases, lease, chosen, started + seconds, on_progress)
        try:
            if active is None:
                await self._models.activate(chosen)
            outcome, problem = await run.outcome(self._embedders)
        except BaseException as unforeseen:
            # Cancelled, as a worker is that has to go, or a fault of our own: either way the lease is given back.
            await self._record(lease, "failed", run.figures, f"it was ended by {type(unforeseen).__name__}")
            raise
        await self._record(lease, outcome, run.figures, problem)
        milliseconds = int((time.monotonic() - started) * 1000)
        _measure(outcome, run.figures, milliseconds)
        logger.log(
            logging.WARNING if outcome == "failed" else logging.INFO,
            "embedding refresh of %s: %s after %s ms, %s, problem: %s",
            chosen,
            outcome,
            milliseconds,
            run.figures,
            problem,
        )
        return RefreshReport(outcome, chosen, run.figures, milliseconds, problem)

    async def adopt_configured_model(self, *, on_progress: OnProgress = lambda _done, _stale: None) -> RefreshReport:
        """Embed for the model that the settings name, and then let search use it.

        For a laptop, where its files may be new, or gone. On Azure a model is changed by command, not by a setting.
        """
        model = self._embedders.configured_model
        report = await self.run(model=model, on_progress=on_progress)
        if report.outcome == "completed":
            await self._models.activate(model)
        return report

    async def _record(self, lease: Lease, outcome: _Ended, figures: RunFigures, problem: str | None) -> None:
        try:
            await self._leases.end(lease, outcome, figures, problem)
        except MCPError as unrecorded:  # the record is for people; the next run calls this one abandoned
            logger.warning("the end of a refresh was not recorded: %s", unrecorded.message)


def _measure(outcome: str, figures: RunFigures, milliseconds: int) -> None:
    telemetry.count("embedding_refresh_run", outcome=outcome)
    telemetry.count("embedding_refresh_seen", figures.seen)
    telemetry.count("embedding_refresh_embedded", figures.embedded)
    telemetry.count("embedding_refresh_failed", figures.refused)
    telemetry.record("operation_duration", milliseconds, operation="embedding_refresh")
    telemetry.event(
        "embedding_refresh",
        outcome=outcome,
        seen=figures.seen,
        embedded=figures.embedded,
        failed=figures.refused,
        milliseconds=milliseconds,
    )


class _Run:
    """One run, from its lease to its outcome."""

    def __init__(
        self,
        store: EmbeddingStore,
        leases: EmbeddingLeases,
        lease: Lease,
        model: str,
        deadline: float,
        on_progress: OnProgress,
    ) -> None:
        self._store = store
        self._leases = leases
        self._lease = lease
        self._model = model
        self._deadline = deadline
        self._on_progress = on_progress
        self.figures = RunFigures()

    async def outcome(self, embedders: Embedders) -> tuple[_Ended, str | None]:
        try:
            state = await self._store.state(self._model)
            self.figures = replace(self.figures, seen=state.products)
            self._on_progress(0, state.stale)
            return await self._embed(state.stale, embedders) if state.stale else ("completed", None)
        except MCPError as problem:
            return "failed", problem.message
        except EmbedderUnavailableError as problem:
            return "failed", str(problem)
        except LeaseLostError:
            return "failed", f"run {self._lease.run_id} was taken for dead, and another one has gone on from there"

    async def _embed(self, stale: int, embedders: Embedders) -> tuple[_Ended, str | None]:
        batches = BatchEmbedder(
            embedders.of(self._model),
            before_request=lambda: self._leases.extend(self._lease),
            deadline=self._deadline,
        )
        after = UUID(int=0)
        while products := await self._store.stale_texts(self._model, after, batches.products):
            if time.monotonic() >= self._deadline:
                return "stopped", "its time was over"
            batch = await batches.embed(products)
            await self._store.save(self._lease, self._model, batch.embedded, batch.refused)
            self.figures = replace(
                self.figures,
                embedded=self.figures.embedded + len(batch.embedded),
                refused=self.figures.refused + len(batch.refused),
                requests=self.figures.requests + batch.requests,
                tokens=self.figures.tokens + batch.tokens,
            )
            self._on_progress(self.figures.embedded + self.figures.refused, stale)
            if batch.problem is not None:
                return ("stopped" if batch.problem.throttled else "failed"), str(batch.problem)
            after = products[-1].product_id
        return "completed", None


if __name__ == "__main__":
    from zava.services.embedding_commands import main

    sys.exit(main(sys.argv[1:]))
