"""While any one thing is broken, callers get good answers or clean errors, and soon after its end all is well again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fault_table import report, runner
from tests.fault_table.faults import FAULTS
from tests.fault_table.runner import Outcome
from tests.fault_table.stage import Stage


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Outcome]]:
    """Of the cases that have run; when they all have, they are written down."""
    outcomes: dict[str, Outcome] = {}
    yield outcomes
    if outcomes.keys() == FAULTS.keys():
        report.write(outcomes)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_costs_clean_errors_at_most_and_leaves_nothing_behind(
    name: str, stage: Stage, outcomes: dict[str, Outcome]
) -> None:
    outcome = await runner.run(stage, FAULTS[name])
    assert outcome.problems(FAULTS[name]) == []
    outcomes[name] = outcome
