"""NCRONTAB as the Functions host reads it, and a timer loop that neither overlaps nor drifts."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from zava.local.functions_engine import DevHostError
from zava.local.schedule import Schedule, follow


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("schedule", "moment", "next_moment"),
    [
        pytest.param("0 */5 * * * *", "2026-11-22 10:02:03", "2026-11-22 10:05:00", id="every five minutes"),
        pytest.param("0 0 * * * *", "2026-11-22 10:00:00", "2026-11-22 11:00:00", id="later, never now"),
        pytest.param("0 0 3 * * *", "2026-12-31 03:00:01", "2027-01-01 03:00:00", id="over the year's end"),
        pytest.param("15,45 * * * * *", "2026-01-01 00:00:15", "2026-01-01 00:00:45", id="a list"),
        pytest.param("* * * * * *", "2026-01-01 00:00:15", "2026-01-01 00:00:16", id="every second"),
        pytest.param("0 0/20 * * * *", "2026-01-01 00:41:00", "2026-01-01 01:00:00", id="a step from a value"),
        pytest.param("0 5/20 * * * *", "2026-01-01 00:26:00", "2026-01-01 00:45:00", id="a step from another value"),
        pytest.param("0 10-30/10 * * * *", "2026-01-01 00:30:00", "2026-01-01 01:10:00", id="a step in a range"),
        pytest.param("0 30 9 * * Mon-Fri", "2026-11-21 10:00:00", "2026-11-23 09:30:00", id="days by name"),
        pytest.param("0 30 9 * * fri-mon", "2026-11-21 10:00:00", "2026-11-23 09:30:00", id="a range the wrong way"),
        pytest.param("0 0 0 * * 0", "2026-11-21 10:00:00", "2026-11-22 00:00:00", id="Sunday is 0"),
        pytest.param("0 0 0 1 JANUARY *", "2026-02-01 00:00:00", "2027-01-01 00:00:00", id="a month's full name"),
        pytest.param("0 0 0 1 Febr *", "2026-03-01 00:00:00", "2027-02-01 00:00:00", id="the beginning of a name"),
        pytest.param("0 0 0 13 * Fri", "2026-11-22 00:00:00", "2027-08-13 00:00:00", id="day of month and of week"),
        pytest.param("0 0 0 29 2 *", "2026-01-01 00:00:00", "2028-02-29 00:00:00", id="leap years"),
        pytest.param("*/15 * * * *", "2026-01-01 00:15:00", "2026-01-01 00:30:00", id="five fields have no seconds"),
        pytest.param("  0  0 3 * * * ", "2026-01-01 00:01:00", "2026-01-01 03:00:00", id="any white space"),
        pytest.param("%NIGHTLY%", "2026-01-01 00:01:00", "2026-01-01 02:30:00", id="a setting"),
        pytest.param("0 %MINUTE% * * * *", "2026-01-01 00:01:00", "2026-01-01 00:07:00", id="a setting within"),
    ],
)
def test_the_next_moment_is_the_hosts(schedule: str, moment: str, next_moment: str) -> None:
    settings = {"NIGHTLY": "0 30 2 * * *", "MINUTE": "7"}
    assert Schedule.parse(schedule, settings).after(at(moment)) == at(next_moment)


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        ("", "The schedule '' has 0 fields instead of six (seconds first)."),
        ("* * *", "The schedule '* * *' has 3 fields instead of six (seconds first)."),
        ("0 0 3 * * * 2026", "The schedule '0 0 3 * * * 2026' has 7 fields instead of six (seconds first)."),
        ("60 * * * * *", "The schedule '60 * * * * *' has no valid second: '60'."),
        ("0 0 24 * * *", "The schedule '0 0 24 * * *' has no valid hour: '24'."),
        ("0 0 0 0 * *", "The schedule '0 0 0 0 * *' has no valid day: '0'."),
        ("0 0 0 * 13 *", "The schedule '0 0 0 * 13 *' has no valid month: '13'."),
        ("0 0 0 * * 7", "The schedule '0 0 0 * * 7' has no valid day of week: '7'."),
        ("0 0 0 * * Moon", "The schedule '0 0 0 * * Moon' has no valid day of week: 'Moon'."),
        ("0 Mon * * * *", "The schedule '0 Mon * * * *' has no valid minute: 'Mon'."),
        ("0 1,,2 * * * *", "The schedule '0 1,,2 * * * *' has no valid minute: '1,,2'."),
        ("0 1-2-3 * * * *", "The schedule '0 1-2-3 * * * *' has no valid minute: '1-2-3'."),
        ("0 */x * * * *", "The schedule '0 */x * * * *' has no valid minute: '*/x'."),
        ("0 ? * * * *", "The schedule '0 ? * * * *' has no valid minute: '?'."),
        ("@hourly", "The schedule '@hourly' has 1 fields instead of six (seconds first)."),
        ("01:00:00", "The schedule '01:00:00' is a time span, which only App Service plans accept."),
        ("0 0 0 30 2 *", "The moment of the schedule '0 0 0 30 2 *' never comes."),
        ("%MISSING%", "The schedule %MISSING% names the setting MISSING, which is not set."),
    ],
)
def test_what_the_host_would_refuse_is_refused_in_one_sentence(schedule: str, sentence: str) -> None:
    with pytest.raises(DevHostError) as refusal:
        Schedule.parse(schedule, {})
    assert str(refusal.value) == sentence


class Timetable:
    """A clock that jumps to whatever is waited for, and a function that takes as long as the test says."""

    def __init__(self, start: str, *durations: float) -> None:
        self._now = at(start)
        self._durations = list(durations)
        self.runs: list[str] = []

    def now(self) -> dt.datetime:
        return self._now

    async def sleep_until(self, moment: dt.datetime) -> None:
        self._now = max(self._now, moment)

    async def fire(self, last: dt.datetime | None, due: dt.datetime) -> None:
        late = f" instead of {due:%H:%M:%S}" if self._now != due else ""
        self.runs.append(f"{self._now:%H:%M:%S}{late}, after {f'{last:%H:%M:%S}' if last else 'never'}")
        if not self._durations:
            raise asyncio.CancelledError
        self._now += dt.timedelta(seconds=self._durations.pop(0))


@pytest.mark.parametrize(
    ("durations", "runs"),
    [
        pytest.param(
            (5, 5),
            ["10:01:00, after never", "10:02:00, after 10:01:00", "10:03:00, after 10:02:00"],
            id="short runs keep the schedule",
        ),
        pytest.param(
            (200, 5),
            ["10:01:00, after never", "10:04:20 instead of 10:02:00, after 10:01:00", "10:05:00, after 10:04:20"],
            id="a long run is followed at once by one run for all it missed",
        ),
    ],
)
async def test_a_timer_never_overlaps_itself(durations: tuple[float, ...], runs: list[str]) -> None:
    timetable = Timetable("2026-01-01 10:00:30", *durations)
    with pytest.raises(asyncio.CancelledError):
        await follow(Schedule.parse("0 * * * * *", {}), timetable.fire, timetable)
    assert timetable.runs == runs
