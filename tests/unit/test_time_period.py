"""The grammar of periods: what each form means, what it is compared with, and what is said of a form that is none."""

from __future__ import annotations

import datetime as dt

import pytest

from zava.errors import ValidationError
from zava.services.time_period import Span, parse_period

NOW = dt.datetime(2026, 11, 24, 11, 40, 30, tzinfo=dt.UTC)  # a Tuesday


def days(span: Span) -> str:
    """`first..last`, and the time where the span does not end at midnight."""
    time = f" {span.end:%H:%M}" if span.end.time() != dt.time() else ""
    return f"{span.first_day}..{span.last_day}{time}"


# What is asked; its name; its days; the period before; last year's; the step of the trend.
WHOLE = {
    "yesterday": ("yesterday", "2026-11-23..2026-11-23", "2026-11-22..2026-11-22", "2025-11-23..2025-11-23", "day"),
    "last_7_days": ("last_7_days", "2026-11-17..2026-11-23", "2026-11-10..2026-11-16", "2025-11-17..2025-11-23", "day"),
    " Last 30 Days": (
        "last_30_days",
        "2026-10-25..2026-11-23",
        "2026-09-25..2026-10-24",
        "2025-10-25..2025-11-23",
        "day",
    ),
    "last_90_days": (
        "last_90_days",
        "2026-08-26..2026-11-23",
        "2026-05-28..2026-08-25",
        "2025-08-26..2025-11-23",
        "week",
    ),
    "last_week": ("last_week", "2026-11-16..2026-11-22", "2026-11-09..2026-11-15", "2025-11-17..2025-11-23", "day"),
    "last_4_weeks": (
        "last_4_weeks",
        "2026-10-26..2026-11-22",
        "2026-09-28..2026-10-25",
        "2025-10-27..2025-11-23",
        "day",
    ),
    "last_month": ("last_month", "2026-10-01..2026-10-31", "2026-09-01..2026-09-30", "2025-10-01..2025-10-31", "day"),
    "last_12_months": (
        "last_12_months",
        "2025-11-01..2026-10-31",
        "2024-11-01..2025-10-31",
        "2024-11-01..2025-10-31",
        "month",
    ),
    "last_quarter": (
        "last_quarter",
        "2026-07-01..2026-09-30",
        "2026-04-01..2026-06-30",
        "2025-07-01..2025-09-30",
        "week",
    ),
    "last_year": ("last_year", "2025-01-01..2025-12-31", "2024-01-01..2024-12-31", "2024-01-01..2024-12-31", "month"),
    "2025": ("2025", "2025-01-01..2025-12-31", "2024-01-01..2024-12-31", "2024-01-01..2024-12-31", "month"),
    "2026-Q1": ("2026-Q1", "2026-01-01..2026-03-31", "2025-10-01..2025-12-31", "2025-01-01..2025-03-31", "week"),
    "2026q1": ("2026-Q1", "2026-01-01..2026-03-31", "2025-10-01..2025-12-31", "2025-01-01..2025-03-31", "week"),
    "2026-01": ("2026-01", "2026-01-01..2026-01-31", "2025-12-01..2025-12-31", "2025-01-01..2025-01-31", "day"),
    "2024-02": ("2024-02", "2024-02-01..2024-02-29", "2024-01-01..2024-01-31", "2023-02-01..2023-02-28", "day"),
    "2025-02": ("2025-02", "2025-02-01..2025-02-28", "2025-01-01..2025-01-31", "2024-02-01..2024-02-29", "day"),
    "2024-02-29": (
        "2024-02-29",
        "2024-02-29..2024-02-29",
        "2024-02-28..2024-02-28",
        "2023-02-28..2023-02-28",
        "day",
    ),
    "2024-02-20..2024-02-29": (
        "2024-02-20..2024-02-29",
        "2024-02-20..2024-02-29",
        "2024-02-10..2024-02-19",
        "2023-02-20..2023-02-28",
        "day",
    ),
    "2024-02-29..2024-03-01": (
        "2024-02-29..2024-03-01",
        "2024-02-29..2024-03-01",
        "2024-02-27..2024-02-28",
        "2023-02-28..2023-03-01",
        "day",
    ),
    "2025-12-30 .. 2026-01-02": (
        "2025-12-30..2026-01-02",
        "2025-12-30..2026-01-02",
        "2025-12-26..2025-12-29",
        "2024-12-30..2025-01-02",
        "day",
    ),
    "2020-01-01..2024-12-31": (
        "2020-01-01..2024-12-31",
        "2020-01-01..2024-12-31",
        "2014-12-31..2019-12-31",
        "2019-01-01..2023-12-31",
        "quarter",
    ),
}


@pytest.mark.parametrize(("text", "expected"), WHOLE.items(), ids=WHOLE)
def test_a_period_that_is_over_is_compared_with_whole_ones(text: str, expected: tuple[str, ...]) -> None:
    period = parse_period(text, NOW)
    found = (period.name, days(period.span), days(period.previous), days(period.last_year), period.step)
    assert (found, period.partial) == (expected, False)


# As of when; what is asked; its days; the period before; last year's.
PARTIAL = {
    "today": (
        NOW,
        "today",
        "2026-11-24..2026-11-24 11:40",
        "2026-11-23..2026-11-23 11:40",
        "2025-11-24..2025-11-24 11:40",
    ),
    "a week": (
        NOW,
        "this_week",
        "2026-11-23..2026-11-24 11:40",
        "2026-11-16..2026-11-17 11:40",
        "2025-11-24..2025-11-25 11:40",
    ),
    "a month": (
        NOW,
        "this_month",
        "2026-11-01..2026-11-24 11:40",
        "2026-10-01..2026-10-24 11:40",
        "2025-11-01..2025-11-24 11:40",
    ),
    "a month by its name": (
        NOW,
        "2026-11",
        "2026-11-01..2026-11-24 11:40",
        "2026-10-01..2026-10-24 11:40",
        "2025-11-01..2025-11-24 11:40",
    ),
    "a quarter": (
        NOW,
        "quarter_to_date",
        "2026-10-01..2026-11-24 11:40",
        "2026-07-01..2026-08-24 11:40",
        "2025-10-01..2025-11-24 11:40",
    ),
    "a year": (
        NOW,
        "year_to_date",
        "2026-01-01..2026-11-24 11:40",
        "2025-01-01..2025-11-24 11:40",
        "2025-01-01..2025-11-24 11:40",
    ),
    "days that reach ahead": (
        NOW,
        "2026-11-20..2026-12-31",
        "2026-11-20..2026-11-24 11:40",
        "2026-10-09..2026-10-13 11:40",
        "2025-11-20..2025-11-24 11:40",
    ),
    "a long month against a short one": (
        dt.datetime(2026, 3, 31, 20, tzinfo=dt.UTC),
        "this_month",
        "2026-03-01..2026-03-31 20:00",
        "2026-02-01..2026-02-28",
        "2025-03-01..2025-03-31 20:00",
    ),
    "a leap day": (
        dt.datetime(2024, 2, 29, 9, tzinfo=dt.UTC),
        "this_month",
        "2024-02-01..2024-02-29 09:00",
        "2024-01-01..2024-01-29 09:00",
        "2023-02-01..2023-02-28 09:00",
    ),
    "a year after its leap day": (
        dt.datetime(2024, 3, 1, 9, tzinfo=dt.UTC),
        "year_to_date",
        "2024-01-01..2024-03-01 09:00",
        "2023-01-01..2023-03-01 09:00",
        "2023-01-01..2023-03-01 09:00",
    ),
    "the first minute of a year": (
        dt.datetime(2026, 1, 1, 0, 0, 20, tzinfo=dt.UTC),
        "this_month",
        "2026-01-01..2026-01-01",
        "2025-12-01..2025-12-01",
        "2025-01-01..2025-01-01",
    ),
}


@pytest.mark.parametrize(("now", "text", "span", "previous", "last_year"), PARTIAL.values(), ids=PARTIAL)
def test_a_period_that_is_not_over_is_compared_with_the_same_part_of_others(
    now: dt.datetime, text: str, span: str, previous: str, last_year: str
) -> None:
    period = parse_period(text, now)
    found = (days(period.span), days(period.previous), days(period.last_year), period.partial)
    assert found == (span, previous, last_year, True)


def test_a_season_is_told_by_the_period_before_last_years() -> None:
    assert days(parse_period("2026-Q1", NOW).before_last_year) == "2024-10-01..2024-12-31"
    assert days(parse_period("this_month", NOW).before_last_year) == "2025-10-01..2025-10-24 11:40"


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("2026-Q1", ["2026-01-01", "2026-01-08", "2026-03-19", "2026-03-26"]),
        ("2025", ["2025-01-01", "2025-02-01", "2025-11-01", "2025-12-01"]),
        ("2024-01-31..2024-12-30", ["2024-01-31", "2024-02-29", "2024-10-31", "2024-11-30"]),
        ("this_month", ["2026-11-01", "2026-11-02", "2026-11-23", "2026-11-24"]),
    ],
)
def test_the_steps_of_a_trend_begin_with_the_period(text: str, blocks: list[str]) -> None:
    period = parse_period(text, NOW)
    found = [str(block.date()) for block in period.blocks(period.span)]
    assert [*found[:2], *found[-2:]] == blocks


NOT_READ = {
    "": "is not a period that can be read",
    "last_fortnight": "is not a period that can be read",
    "last_0_days": "is not a period that can be read",
    "2026-Q5": "is not a period that can be read",
    "Q1": "is not a period that can be read",
    "March": "is not a period that can be read",
    "2026-1": "is not a period that can be read",
    "2026-13": "There is no day 2026-13-01",
    "2026-02-30": "There is no day 2026-02-30",
    "2026-02-01..2026-02-30": "There is no day 2026-02-30",
    "2026-03-02..2026-03-01": "ends on 2026-03-01, before it begins on 2026-03-02",
    "2026-03-01..": "is not a period that can be read",
    "last_9999_days": "is longer than ten years",
    "last_3000_years": "is longer than ten years",
    "last_3000_weeks": "is longer than ten years",
    "1900-01-01..2026-01-01": "is longer than ten years",
    "9999-01-01..9999-12-31": "The year 9999 is out of reach",
    "2027": "The period 2027 has not begun: today is 2026-11-24 (UTC)",
    "2026-12": "has not begun",
    "2026-11-25": "has not begun",
    "'; DROP TABLE orders; --": "is not a period that can be read",
    "20٢٦": "is not a period that can be read",
    "\0": "is not a period that can be read",
    "x" * 10_000: "is not a period that can be read",
}


@pytest.mark.parametrize(("text", "message"), NOT_READ.items(), ids=[text[:30] or "nothing" for text in NOT_READ])
def test_what_cannot_be_read_is_an_error_that_says_what_can(text: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse_period(text, NOW)
    assert message in caught.value.message
    assert len(caught.value.message) < 200
    assert caught.value.hint
    if "can be read" in message:
        assert "2026-Q1" in caught.value.hint
