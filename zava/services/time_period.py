"""The periods a report can be asked for, and the spans of time each is compared with.

A day begins at midnight UTC, as in SQL written by a model. A period that is not over ends at this minute, and what it
is compared with ends after the same part: never a whole month against half of one. The grammar, in any case, with
blanks or underscores:

    today, yesterday                                  one day
    this_UNIT, UNIT_to_date                           the running week (from Monday), month, quarter or year
    last_UNIT, last_N_UNITs                           the N complete units before the running one
    2026, 2026-Q1, 2026-03, 2026-03-31                a year, a quarter, a month, a day
    FROM..TO                                          days from and to, both included: 2026-03-01..2026-03-15

What is compared: the period before is as many units before; last year's has the same dates a year earlier (29 February
becomes the 28th), for weeks 52 weeks earlier, so that it begins on a Monday too.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from zava.errors import ValidationError
from zava.services.performance_report import Step

TIME_ZONE = "UTC"
ACCEPTED = (
    "today, yesterday, this_week, this_month, this_quarter, this_year (or year_to_date), last_week, last_month, "
    "last_quarter, last_year, last_N_days, last_N_weeks, last_N_months, 2026, 2026-Q1, 2026-03, 2026-03-31, or "
    "FROM..TO with ISO dates, both included (2026-03-01..2026-03-15)"
)
_MOST_DAYS = 3_660
_MOST_CHARACTERS = 100
"""The longest form has 22; what is longer is not read to its end."""

_Unit = Literal["day", "week", "month", "quarter", "year"]
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_LEAST_DAYS: Mapping[_Unit, int] = {"day": 1, "week": 7, "month": 28, "quarter": 90, "year": 365}
_UNITS = "day|week|month|quarter|year"
_YEAR = r"((?:19|20|21)\d\d)"
_LAST = re.compile(rf"last_(?:(\d{{1,4}})_)?({_UNITS})s?", re.ASCII)
_RUNNING = re.compile(rf"this_({_UNITS})|({_UNITS})_to_date", re.ASCII)
_CALENDAR = re.compile(rf"{_YEAR}(?:-?q([1-4])|-(\d\d)(?:-(\d\d))?)?", re.ASCII)
_RANGE = re.compile(r"(\d{4}-\d\d-\d\d)_?\.\._?(\d{4}-\d\d-\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` up to, not including, `end`."""

    start: dt.datetime
    end: dt.datetime

    @property
    def first_day(self) -> dt.date:
        return self.start.date()

    @property
    def last_day(self) -> dt.date:
        return max(self.start, self.end - dt.timedelta(microseconds=1)).date()


@dataclass(frozen=True, slots=True)
class TimePeriod:
    """`before_last_year` is to `last_year` what `previous` is to `span`: it tells a season from a trend."""

    name: str
    span: Span
    partial: bool
    previous: Span
    last_year: Span
    before_last_year: Span
    step: Step

    @property
    def previous_is_last_year(self) -> bool:
        return self.previous == self.last_year

    def blocks(self, span: Span) -> list[dt.datetime]:
        """The beginnings of the steps of `span`; the first is its start."""
        return [*_steps(span, self.step)]


@dataclass(frozen=True, slots=True)
class _Asked:
    """`count` units from `first` on."""

    name: str
    unit: _Unit
    count: int
    first: dt.date


def parse_period(text: str, now: dt.datetime) -> TimePeriod:
    """Read a period as of `now` (UTC).

    Raises:
        ValidationError: it is not in the grammar, has not begun, or is longer than ten years; the hint lists the forms.
    """
    asked = _read(text[:_MOST_CHARACTERS], now.date())
    start = _midnight(asked.first)
    end = _midnight(_later(asked.first, asked.unit, asked.count))
    if start > now:
        raise ValidationError(
            f"The period {asked.name} has not begun: today is {now.date()} ({TIME_ZONE}).",
            "Ask for a period that has begun; one that is not over is counted up to now.",
        )
    if (end - start).days > _MOST_DAYS:
        raise _too_long(asked.name)
    moment = now.replace(second=0, microsecond=0)
    partial = end > moment
    span = Span(start, min(end, moment))
    last_year = Span(
        _year_earlier(start, asked.unit),
        _year_earlier(moment, asked.unit) if partial else _end_year_earlier(end, asked.unit),
    )
    return TimePeriod(
        name=asked.name,
        span=span,
        partial=partial,
        previous=_before(span, asked, partial=partial),
        last_year=last_year,
        before_last_year=_before(last_year, asked, partial=partial),
        step=_step(start, end),
    )


def _read(text: str, today: dt.date) -> _Asked:
    name = re.sub(r"[\s_]+", "_", text.strip().lower())
    if name in {"today", "yesterday"}:
        return _Asked(name, "day", 1, today - dt.timedelta(days=name == "yesterday"))
    if found := _RUNNING.fullmatch(name):
        unit = _unit(found[1] or found[2])
        return _Asked(name, unit, 1, _begin(today, unit))
    if found := _LAST.fullmatch(name):
        unit, count = _unit(found[2]), int(found[1] or 1)
        if count * _LEAST_DAYS[unit] > _MOST_DAYS:
            raise _too_long(name)
        if count:
            return _Asked(name, unit, count, _later(_begin(today, unit), unit, -count))
    if found := _CALENDAR.fullmatch(name):
        year, quarter, month, day = found.groups()
        if quarter:
            return _Asked(f"{year}-Q{quarter}", "quarter", 1, dt.date(int(year), 3 * int(quarter) - 2, 1))
        first = _date(f"{year}-{month or '01'}-{day or '01'}")
        return _Asked(name, "day" if day else "month" if month else "year", 1, first)
    if found := _RANGE.fullmatch(name):
        first, last = _date(found[1]), _date(found[2])
        if last < first:
            raise ValidationError(f"The period ends on {last}, before it begins on {first}.", "Swap the two dates.")
        return _Asked(f"{first}..{last}", "day", (last - first).days + 1, first)
    raise ValidationError(f"{text[:60]!r} is not a period that can be read.", f"The periods are: {ACCEPTED}.")


def _too_long(name: str) -> ValidationError:
    return ValidationError(f"The period {name} is longer than ten years.", "Ask for a shorter one.")


def _unit(name: str) -> _Unit:
    units: tuple[_Unit, ...] = ("day", "week", "month", "quarter", "year")
    return units[units.index(name)]  # pyright: ignore[reportArgumentType]  (the expressions match nothing else)


def _date(text: str) -> dt.date:
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise ValidationError(f"There is no day {text}.", "Dates are written as 2026-03-31.") from None
    if not 1900 <= day.year < 2200:
        raise ValidationError(f"The year {day.year} is out of reach.", "Name a year from 1900 to 2199.")
    return day


def _begin(day: dt.date, unit: _Unit) -> dt.date:
    if unit == "day":
        return day
    if unit == "week":
        return day - dt.timedelta(days=day.weekday())
    months = _MONTHS[unit]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def _later(day: dt.date, unit: _Unit, count: int) -> dt.date:
    """`count` units later, or earlier; a day that its month does not have becomes the month's last."""
    if unit in {"day", "week"}:
        return day + dt.timedelta(days=count * (7 if unit == "week" else 1))
    year, month = divmod(day.year * 12 + day.month - 1 + count * _MONTHS[unit], 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def _year_earlier(moment: dt.datetime, unit: _Unit) -> dt.datetime:
    if unit == "week":
        return moment - dt.timedelta(weeks=52)
    return dt.datetime.combine(_later(moment.date(), "year", -1), moment.timetz())


def _end_year_earlier(end: dt.datetime, unit: _Unit) -> dt.datetime:
    if unit != "day":
        return _year_earlier(end, unit)
    # Of days the last one moves, not the one after it, which is 1 March both for the 28th and for the 29th.
    return _midnight(_later((end - dt.timedelta(days=1)).date(), "year", -1)) + dt.timedelta(days=1)


def _before(span: Span, asked: _Asked, *, partial: bool) -> Span:
    start = _midnight(_later(span.first_day, asked.unit, -asked.count))
    if not partial:
        return Span(start, span.start)
    if asked.unit == "year":  # by the calendar, since a leap day would shift the rest of the year by one
        end = dt.datetime.combine(_later(span.end.date(), "year", -asked.count), span.end.timetz())
    else:
        end = start + (span.end - span.start)
    return Span(start, min(end, span.start))


def _step(start: dt.datetime, end: dt.datetime) -> Step:
    days = (end - start).days
    return "day" if days <= 31 else "week" if days <= 184 else "month" if days <= 1_100 else "quarter"


def _steps(span: Span, step: Step) -> Iterator[dt.datetime]:
    count = 0
    while (block := _midnight(_later(span.first_day, step, count))) < span.end or count == 0:
        yield block
        count += 1
