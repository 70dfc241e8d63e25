"""A database with canaries in every tenant's rows, for the tests that break something while tenants ask."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conftest import Cluster, _create_clone
from tests.security.planted import Planted, make_planted, opened


@pytest.fixture(scope="session")
async def planted(cluster: Cluster) -> AsyncIterator[Planted]:
    """Every store with its canaries. Only read."""
    database = await _create_clone(cluster, "zava_faults")
    await make_planted(database)
    async with opened(database) as parts:
        yield parts
