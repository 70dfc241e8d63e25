"""How numbers are written in an insight: in its sentence, and beside it."""

from __future__ import annotations

from zava.services.time_period import Span


def moved(change: float) -> str:
    return f"{'rose' if change > 0 else 'fell'} by {abs(change):.1f}%"


def signed(change: float) -> str:
    return f"{change:+.1f}%"


def money(amount: float) -> str:
    return f"${amount:,.0f}" if amount >= 1_000 else f"${amount:,.2f}"


def days(span: Span) -> str:
    return f"{span.first_day} to {span.last_day}"


def cents(amount: float) -> float:
    return round(amount, 2)


def tenth(value: float) -> float:
    return round(value, 1)
