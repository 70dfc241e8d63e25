"""One stage for all cases: what one breaks it mends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conftest import Cluster
from tests.fault_table.stage import Stage, opened


@pytest.fixture(scope="session")
async def stage(cluster: Cluster) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        async with opened(cluster, monkeypatch) as stage:
            yield stage
