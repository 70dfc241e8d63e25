"""The health report: nobody's hanging hangs it, nobody's failing ends it, and asking often costs nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from zava.errors import DatabaseUnavailableError
from zava.services.health_checks import ComponentHealth, HealthChecks, Status


@dataclass(eq=False)
class _Probe:
    name: str
    answer: Callable[[], Awaitable[ComponentHealth]]
    essential: bool = True
    asked: int = field(default=0)

    async def check(self) -> ComponentHealth:
        self.asked += 1
        return await self.answer()


def _says(status: Status) -> Callable[[], Awaitable[ComponentHealth]]:
    async def answer() -> ComponentHealth:
        return ComponentHealth(status, {"inside": 1})

    return answer


async def _hangs() -> ComponentHealth:
    while True:  # and does not let itself be cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if _let_go.is_set():
                raise


_let_go = asyncio.Event()


async def _fails() -> ComponentHealth:
    raise DatabaseUnavailableError("password=hunter2 was refused")


@pytest.mark.parametrize(
    ("essential", "other", "expected"),
    [
        ("ok", "ok", "ok"),
        ("ok", "degraded", "degraded"),
        ("ok", "failed", "degraded"),
        ("degraded", "ok", "degraded"),
        ("failed", "ok", "failed"),
    ],
)
async def test_the_whole_is_as_well_as_what_it_cannot_do_without(
    essential: Status, other: Status, expected: Status
) -> None:
    checks = HealthChecks([_Probe("database", _says(essential)), _Probe("cache", _says(other), essential=False)])
    report = await checks.report()
    assert report.status == expected
    assert report.failed == [name for name, status in (("database", essential), ("cache", other)) if status == "failed"]


async def test_a_component_that_hangs_or_fails_holds_up_and_ends_nothing() -> None:
    checks = HealthChecks(
        [_Probe("database", _fails), _Probe("ai_service", _hangs), _Probe("system", _says("ok"))], seconds=0.1
    )
    started = time.perf_counter()
    report = await checks.report()
    assert time.perf_counter() - started < 1
    assert {name: (one.status, one.details.get("reason")) for name, one in report.components.items()} == {
        "database": ("failed", "DATABASE_UNAVAILABLE"),
        "ai_service": ("failed", "no answer within 0.1 s"),
        "system": ("ok", None),
    }
    _let_go.set()
    for task in asyncio.all_tasks():
        if task.get_coro().__name__ == "_checked":  # type: ignore[union-attr]
            task.cancel()


async def test_whoever_asks_within_a_few_seconds_gets_the_same_answer() -> None:
    now = 0.0
    probe = _Probe("database", _says("ok"))
    checks = HealthChecks([probe], clock=lambda: now)
    reports = await asyncio.gather(*(checks.report() for _ in range(20)))
    assert len({id(report) for report in reports}) == 1
    now = 2.9
    assert await checks.report() is reports[0]
    assert probe.asked == 1
    now = 3.1
    await checks.report()
    assert probe.asked == 2


async def test_a_change_is_logged_once_by_names_alone(caplog: pytest.LogCaptureFixture) -> None:
    probe = _Probe("database", _fails)
    checks = HealthChecks([probe], kept_seconds=0)
    with caplog.at_level(logging.INFO, logger="zava"):
        for _ in range(2):
            await checks.report()
        probe.answer = _says("ok")
        await checks.report()
    assert [record.getMessage() for record in caplog.records] == [
        "health is failed now; not well: database",
        "health is ok now; not well: nothing",
    ]
