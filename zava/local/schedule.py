"""When a timer function runs: NCRONTAB in UTC, as the Functions host reads it, and the loop that follows it."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from croniter import CroniterBadDateError, croniter

from zava.local.functions_engine import DevHostError

_MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split()


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    first: int
    last: int
    words: tuple[str, ...] = ()

    def expand(self, text: str) -> str:
        """The field as a list of numbers; empty parts, unknown words and values out of range raise ValueError."""
        values: set[int] = set()
        for part in text.split(","):
            span, slash, step = part.partition("/")
            low, dash, high = span.partition("-")
            if span == "*":
                start, end = self.first, self.last
            else:
                start = self._value(low)
                end = self._value(high) if dash else self.last if slash else start
            values.update(range(min(start, end), max(start, end) + 1, max(int(step), 1) if slash else 1))
        return "*" if len(values) == self.last - self.first + 1 else ",".join(map(str, sorted(values)))

    def _value(self, text: str) -> int:
        """A number, or a word of at least one letter that begins a month's or a day's name."""
        if text.isascii() and text.isdigit():
            value = int(text)
        else:
            found = (index for index, word in enumerate(self.words) if text and word.lower().startswith(text.lower()))
            value = next(found, -1) + self.first
        if not self.first <= value <= self.last:
            raise ValueError(text)
        return value


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, tuple(_MONTHS)),
    _Field("day of week", 0, 6, tuple(_DAYS)),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """An NCRONTAB expression: six fields, seconds first, or five without seconds. Times are UTC.

    Its own reading of the fields, because cron and NCRONTAB differ: a day of month *and* a day of week must both fit,
    Sunday is 0 and never 7, `5-1` means `1-5`, and any beginning of an English name is a name.
    """

    text: str
    _numbers: str

    @classmethod
    def parse(cls, text: str, settings: Mapping[str, str]) -> Schedule:
        """Read a timer trigger's schedule, `%NAME%` standing for the setting NAME.

        Raises:
            DevHostError: a setting is missing, the expression is malformed, or its moment never comes.
        """

        def setting(match: re.Match[str]) -> str:
            if match[1] not in settings:
                raise DevHostError(f"The schedule {text} names the setting {match[1]}, which is not set.")
            return settings[match[1]]

        resolved = re.sub("%([^%]+)%", setting, text).strip()
        parts = resolved.split()
        if ":" in resolved:
            raise DevHostError(f"The schedule {resolved!r} is a time span, which only App Service plans accept.")
        if len(parts) not in {5, 6}:
            raise DevHostError(f"The schedule {resolved!r} has {len(parts)} fields instead of six (seconds first).")
        numbers: list[str] = []
        for field, part in zip(_FIELDS, parts if len(parts) == 6 else ["0", *parts], strict=True):
            try:
                numbers.append(field.expand(part))
            except ValueError:
                raise DevHostError(f"The schedule {resolved!r} has no valid {field.name}: {part!r}.") from None
        schedule = cls(resolved, " ".join(numbers))
        try:
            schedule.after(dt.datetime.now(dt.UTC))
        except CroniterBadDateError:
            raise DevHostError(f"The moment of the schedule {resolved!r} never comes.") from None
        return schedule

    def after(self, moment: dt.datetime) -> dt.datetime:
        """The first moment of the schedule that is later than `moment`."""
        times = croniter(self._numbers, moment, ret_type=dt.datetime, day_or=False, second_at_beginning=True)
        return times.get_next(dt.datetime)


class Clock(Protocol):
    """Time as the loop below sees it; tests bring their own."""

    def now(self) -> dt.datetime: ...

    async def sleep_until(self, moment: dt.datetime) -> None: ...


class WallClock:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    async def sleep_until(self, moment: dt.datetime) -> None:
        # In short steps: the loop's own clock stands still while a laptop sleeps.
        while (left := (moment - self.now()).total_seconds()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left, 30))


Fire = Callable[[dt.datetime | None, dt.datetime], Awaitable[None]]
"""Runs the function once, given the run before (None: none yet) and the moment this one was due. Never raises."""


async def follow(schedule: Schedule, fire: Fire, clock: Clock) -> None:
    """Fire at every moment of the schedule, for ever.

    As the host's listener does it: a run never overlaps the next; one that takes longer than its interval is followed
    at once by one more, however many moments it missed.
    """
    last, due = None, schedule.after(clock.now())
    while True:
        await clock.sleep_until(due)
        begun = max(clock.now(), due)
        await fire(last, due)
        last, due = begun, schedule.after(begun)
