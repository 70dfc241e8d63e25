"""What one tool call leaves for the audit; filled in on the way by those who know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CallRecord:
    """`sql_fingerprint` is PostgreSQL's own hash of a statement without its literals; `outcome` an error's code."""

    sql_fingerprint: str | None = None
    outcome: str | None = None
