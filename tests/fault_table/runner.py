"""Runs one case: all is well, something breaks, it is mended, and all is well again with nothing left over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeVar

from tests.fault_table.faults import Fault
from tests.fault_table.load import GOOD, Load, Tally
from tests.fault_table.questions import SQL
from tests.fault_table.stage import APP_POOL, READER_POOL, Stage
from tests.fault_table.worker import Worker

T = TypeVar("T")

RECOVERY_SECONDS = 5.0
"""At most so long after the end of a fault every caller has had a good answer to new SQL."""
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """`recovery` is in seconds; `connections` and `tasks` are those that are left over."""

    tally: Tally
    recovery: float
    connections: int
    tasks: tuple[str, ...]

    def problems(self, fault: Fault) -> list[str]:
        """What of it breaks a promise."""
        got = set(self.tally.codes)
        found = list(self.tally.violations[:5])
        if unclean := got - GOOD - fault.allowed:
            found.append(f"callers got {sorted(unclean)}: {self.tally.codes}")
        if fault.shows and not got & fault.shows:
            found.append(f"the fault showed nothing: {self.tally.codes}")
        if self.recovery > RECOVERY_SECONDS:
            found.append(f"a good answer for everybody took {self.recovery:.1f} s")
        if self.connections:
            found.append(f"{self.connections} connections are left over")
        if self.tasks:
            found.append(f"tasks are left over: {self.tasks}")
        return found


async def run(stage: Stage, fault: Fault) -> Outcome:
    load = Load(stage.callers, stage.evidence)
    worker = None if fault.worker == "new" else stage.pooled if fault.worker == "pooled" else stage.worker
    at_rest = worker.tasks if worker else ()
    try:
        async with AsyncExitStack() as calling:
            if worker is not None:
                await calling.enter_async_context(load.running(worker.url))
                await load.good_answers(since=0, seconds=_PATIENCE_SECONDS)
                assert set(load.tally.codes) <= GOOD, f"before anything was broken: {load.tally.codes}"
                load.tally = Tally()
            async with fault.breaks(stage, load):
                if worker is None:
                    worker = await asyncio.to_thread(stage.new_worker)
                    at_rest = worker.tasks
                    await calling.enter_async_context(load.running(worker.url))
                await asyncio.sleep(fault.seconds)
                if fault.shows:
                    await load.got(fault.shows, seconds=_PATIENCE_SECONDS)
            mended = time.monotonic()
            recovered = await load.good_answers([SQL], since=mended, seconds=_PATIENCE_SECONDS)
            await load.good_answers(since=mended, seconds=_PATIENCE_SECONDS)
        connections, tasks = await _left_over(stage, worker, at_rest, through_pooler=fault.worker == "pooled")
    finally:
        if fault.worker == "new" and worker is not None:
            worker.stop()
    return Outcome(load.tally, recovered - mended, connections, tasks)


async def _left_over(
    stage: Stage, worker: Worker, at_rest: tuple[str, ...], *, through_pooler: bool
) -> tuple[int, tuple[str, ...]]:
    async def connections() -> int:
        busy = sum(state != "idle" for state in await stage.sessions())
        database = stage.pooler.port if through_pooler else stage.postmaster.port
        return busy + max(0, worker.connections_to(database) - READER_POOL - APP_POOL)

    async def tasks() -> tuple[str, ...]:
        left = list(worker.tasks)
        for task in at_rest:
            if task in left:
                left.remove(task)
        return tuple(left)

    return await _settled(connections), await _settled(tasks)


async def _settled(look: Callable[[], Awaitable[T]], seconds: float = 5.0) -> T:
    """Nothing as soon as there is nothing, or what there is at last."""
    ends_at = time.monotonic() + seconds
    while (seen := await look()) and time.monotonic() < ends_at:
        await asyncio.sleep(0.05)
    return seen
