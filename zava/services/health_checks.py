"""How each component is: all asked at once, each with a deadline, and the answers kept for a moment.

Probes and people ask often and anybody may, so an answer must cost little: within a few seconds all get the same.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from zava.platform.shared_task import is_under_way
from zava.platform.tracing import error_type

_log = logging.getLogger(__name__)

Status: TypeAlias = Literal["ok", "degraded", "failed"]

SECONDS = 3.0
"""How long a component may take; whoever takes longer counts as failed, and nobody is kept waiting."""
KEPT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """`details` are values of JSON, and for operators alone."""

    status: Status
    details: Mapping[str, object] = field(default_factory=dict[str, object])


class HealthProbe(Protocol):
    """Asks one component. An exception means that it failed, and is told by its kind alone."""

    @property
    def name(self) -> str: ...

    @property
    def essential(self) -> bool:
        """Whether Zava can answer nothing of use without it."""
        ...

    async def check(self) -> ComponentHealth: ...


@dataclass(frozen=True, slots=True)
class HealthReport:
    components: Mapping[str, ComponentHealth]
    status: Status

    @property
    def failed(self) -> list[str]:
        return [name for name, component in self.components.items() if component.status == "failed"]


class HealthChecks:
    """Belongs to one event loop's thread. `clock` is in monotonic seconds."""

    def __init__(
        self,
        probes: Sequence[HealthProbe],
        *,
        seconds: float = SECONDS,
        kept_seconds: float = KEPT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probes = tuple(probes)
        self._seconds = seconds
        self._kept_seconds = kept_seconds
        self._clock = clock
        self._kept: tuple[float, HealthReport] | None = None
        self._running: asyncio.Task[HealthReport] | None = None
        self._told: Status = "ok"

    async def report(self) -> HealthReport:
        """How everything is, at most a few seconds old; it takes little longer than the deadline of a component."""
        if self._kept is not None and self._clock() < self._kept[0] + self._kept_seconds:
            return self._kept[1]
        running = self._running
        if not is_under_way(running):
            running = self._running = asyncio.ensure_future(self._ask())
        return await asyncio.shield(running)

    async def _ask(self) -> HealthReport:
        asked = {probe: asyncio.ensure_future(_checked(probe)) for probe in self._probes}
        _, late = await asyncio.wait(asked.values(), timeout=self._seconds)
        for task in late:
            task.cancel()  # and not waited for: it may be in no state to end
        no_answer = ComponentHealth("failed", {"reason": f"no answer within {self._seconds:g} s"})
        components = {probe.name: no_answer if task in late else task.result() for probe, task in asked.items()}
        essential = {probe.name for probe in self._probes if probe.essential}
        unwell = {name: component for name, component in components.items() if component.status != "ok"}
        failed = any(component.status == "failed" for name, component in unwell.items() if name in essential)
        report = HealthReport(components, "failed" if failed else "degraded" if unwell else "ok")
        self._kept = (self._clock(), report)
        if report.status != self._told:
            self._told = report.status
            level = logging.INFO if report.status == "ok" else logging.WARNING
            _log.log(level, "health is %s now; not well: %s", report.status, ", ".join(unwell) or "nothing")
        return report


async def _checked(probe: HealthProbe) -> ComponentHealth:
    started = time.perf_counter()
    try:
        health = await probe.check()
    except Exception as problem:  # noqa: BLE001  (whatever a component raises, it is the component that failed)
        health = ComponentHealth("failed", {"reason": error_type(problem)})
    milliseconds = round((time.perf_counter() - started) * 1_000, 1)
    return ComponentHealth(health.status, {**health.details, "milliseconds": milliseconds})
