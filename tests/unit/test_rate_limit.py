"""How often one caller may call: in one worker's memory, and with the shared limit away."""

from __future__ import annotations

import logging

import pytest

from tests.clock import Clock
from zava.errors import DatabaseUnavailableError, RateLimitError
from zava.platform import call_rate
from zava.platform.call_rate import CallRate
from zava.services.rate_limit import RateLimit


def test_a_burst_passes_then_one_call_at_a_time() -> None:
    clock = Clock()
    rate = CallRate(10, 3, clock)
    assert [rate.take("a") for _ in range(4)] == [0, 0, 0, 10]
    clock.now = 4
    assert rate.take("a") == 6
    assert rate.take("b") == 0
    clock.now = 10
    assert [rate.take("a"), rate.take("a")] == [0, 10]
    clock.now = 1_000
    assert [rate.take("a") for _ in range(4)] == [0, 0, 0, 10]


def test_over_a_long_time_exactly_the_rate_passes() -> None:
    clock = Clock()
    rate = CallRate(0.5, 5, clock)
    passed = 0
    for step in range(10_000):
        clock.now = step * 0.01
        passed += rate.take("a") == 0
    assert passed == 5 + 199


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_rate, "MOST_KEYS", 3)
    rate = CallRate(10, 1, Clock())
    for key in "abcd":
        assert rate.take(key) == 0
    assert len(rate._free_at) == 3
    assert (rate.take("d"), rate.take("a")) == (10, 0)


class Shared:
    """Stands in for the database: away, or saying how long to wait."""

    def __init__(self) -> None:
        self.waiting: float | None = 0.0
        self.asked = 0

    async def take(self, caller: str, seconds_per_call: float, burst: int) -> float:
        assert (caller, seconds_per_call, burst) == ("ada", 0.5, 2)
        self.asked += 1
        if self.waiting is None:
            raise DatabaseUnavailableError("away")
        return self.waiting


async def test_a_refusal_says_in_whole_seconds_when_to_call_again() -> None:
    shared = Shared()
    limit = RateLimit(shared, 120, 2, Clock())
    await limit.take("ada")
    shared.waiting = 1.2
    with pytest.raises(RateLimitError) as refusal:
        await limit.take("ada")
    assert refusal.value.retry_after == 2


async def test_while_the_shared_limit_is_away_each_worker_counts_alone_and_asks_it_seldom(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, shared = Clock(), Shared()
    limit = RateLimit(shared, 120, 2, clock)
    shared.waiting = None
    with caplog.at_level(logging.WARNING):
        await limit.take("ada")
        await limit.take("ada")
        for _ in range(50):
            with pytest.raises(RateLimitError):
                await limit.take("ada")
    assert shared.asked == 1
    assert caplog.messages == ["the shared rate limit is away: for 5 s each worker counts alone"]
    clock.now, shared.waiting = 5, 0.0
    await limit.take("ada")
    assert shared.asked == 2
