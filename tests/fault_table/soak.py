"""Faults of the table one after another, in an order of chance, for as long as SOAK_SECONDS says: `make soak`."""

from __future__ import annotations

import os
import random
import time

import pytest
from tqdm import tqdm

from tests.fault_table import runner
from tests.fault_table.faults import FAULTS
from tests.fault_table.stage import Stage

_SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))


@pytest.mark.timeout(_SECONDS + 180)
async def test_whatever_breaks_in_whatever_order_callers_get_clean_answers(stage: Stage) -> None:
    seed = int(os.environ.get("SOAK_SEED", str(time.time_ns() % 1_000_000)))
    chance, began, problems = random.Random(seed), time.monotonic(), dict[str, list[str]]()
    with tqdm(total=round(_SECONDS), unit="s", desc=f"SOAK_SEED={seed}", disable=False) as bar:
        while (gone := time.monotonic() - began) < _SECONDS:
            bar.update(round(gone) - bar.n)
            name = chance.choice(list(FAULTS))
            found = (await runner.run(stage, FAULTS[name])).problems(FAULTS[name])
            if found:
                problems[name] = found
    assert problems == {}
