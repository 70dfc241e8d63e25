"""Writes what the cases measured into `docs/reliability.md`; everything outside the marks is written by people."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.run import rewrite
from tests.fault_table.load import OK
from tests.fault_table.runner import Outcome
from tests.fault_table.worker import PROJECT

DOCUMENT = PROJECT / "docs" / "reliability.md"
_BEGIN, _END = "<!-- written by make faults -->\n", "<!-- end -->\n"
_HEAD = (
    "| broken | calls | good answers | others | slowest, s | all well again after, s | wrong rows | left over |",
    "|---|---|---|---|---|---|---|---|",
)


def write(outcomes: Mapping[str, Outcome]) -> None:
    """Put the table in place of the one before."""
    rows = [_row(name, outcome) for name, outcome in outcomes.items()]
    rewrite(DOCUMENT, _BEGIN, _END, "\n".join((*_HEAD, *rows)))


def _row(name: str, outcome: Outcome) -> str:
    tally = outcome.tally
    others = ", ".join(f"{count} {_written(code)}" for code, count in sorted(tally.codes.items()) if code != OK)
    left = f"{outcome.connections} connections, {len(outcome.tasks)} tasks"
    return (
        f"| {name} | {tally.calls} | {tally.codes[OK]} | {others or 'none'} | {tally.slowest:.1f} "
        f"| {outcome.recovery:.1f} | {len(tally.violations)} | {left} |"
    )


def _written(code: str) -> str:
    return f"`{code}`" if code.isupper() else code
