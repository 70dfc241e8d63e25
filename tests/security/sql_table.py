"""The two tables of SQL: what must be refused, and what must be answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SqlCase:
    """One statement with the reason it is in its table; `rule` is what refuses it."""

    id: str
    sql: str
    reason: str
    rule: str = ""


def _read(name: str) -> tuple[SqlCase, ...]:
    entries: list[dict[str, str]] = json.loads(Path(__file__).with_name(name).read_text("utf-8"))
    return tuple(SqlCase(**entry) for entry in entries)


ACCEPTED = _read("sql_accepted.json")
REFUSED = _read("sql_refused.json")
