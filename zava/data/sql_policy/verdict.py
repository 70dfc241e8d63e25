"""The values the policy works with: what was found in a query, and what is decided about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MAX_PIECE: Final = 80
# What a statement may be; `decide` refuses every other kind even if nothing else was found.
ALLOWED_KINDS: Final = frozenset({"select", "values", "set_operation"})


class Refusal(Exception):  # noqa: N818  (the way a violation leaves the walk; no caller outside this package sees it)
    """Ends the analysis: `rule` names the rule that was broken, `piece` the fragment, `hint` what to write instead."""

    def __init__(self, rule: str, piece: str, hint: str) -> None:
        super().__init__(rule)
        self.violation = Violation(rule, piece if len(piece) <= _MAX_PIECE else piece[: _MAX_PIECE - 1] + "…", hint)


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule. `rule` is a stable snake_case id; `piece` is at most 80 characters of the query."""

    rule: str
    piece: str
    hint: str


@dataclass(frozen=True, slots=True)
class SqlAnalysis:
    """What one text of SQL is and uses.

    `statement` is the single statement without what surrounds it, ready to stand between `(\\n` and `\\n)`. `relations`
    are schema-qualified, the other names as PostgreSQL resolves them, all sorted. `fingerprint` is libpg_query's: equal
    for queries that differ in literals only, and made of nothing but the structure. `collects`: a value is built from
    many rows (array_agg and its kin), or very many tables are planned together, for which PostgreSQL takes memory
    without a limit. The analysis stops at the first violation: of a refused query, the names are those found until
    then.
    """

    statement_kind: str = ""
    relations: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    ctes: tuple[str, ...] = ()
    cast_targets: tuple[str, ...] = ()
    volatile: bool = False
    collects: bool = False
    fingerprint: str = ""
    statement: str = ""
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class Allowed:
    """The statement may run. `volatile`: it may have another answer a moment later; `collects`: as in `SqlAnalysis`."""

    statement: str
    fingerprint: str
    relations: tuple[str, ...]
    volatile: bool
    collects: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The statement must not run. A model reads `hint`, one sentence that says what to write instead."""

    rule: str
    piece: str
    hint: str


def decide(analysis: SqlAnalysis) -> Allowed | Refused:
    """What follows from an analysis, and from nothing else."""
    if analysis.violations:
        first = analysis.violations[0]
        return Refused(first.rule, first.piece, first.hint)
    if analysis.statement_kind not in ALLOWED_KINDS:
        return Refused("statement", analysis.statement_kind, "Write exactly one SELECT statement.")
    return Allowed(analysis.statement, analysis.fingerprint, analysis.relations, analysis.volatile, analysis.collects)
