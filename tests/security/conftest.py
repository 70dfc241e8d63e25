"""What the tests of the walls share; see `planted.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conftest import Cluster, Database, _create_clone
from tests.security.planted import Planted, copy_of, make_planted, make_twin, opened


@pytest.fixture(scope="session")
async def planted_template(cluster: Cluster) -> Database:
    """A planted database that nobody connects to, so that it can be copied at any time."""
    database = await _create_clone(cluster, "zava_canaries")
    await make_planted(database)
    return database


@pytest.fixture(scope="session")
async def planted(planted_template: Database) -> AsyncIterator[Planted]:
    """Every store with its canaries. Only read."""
    async with opened(await copy_of(planted_template, "zava_planted")) as parts:
        yield parts


@pytest.fixture(scope="session")
async def twin(planted_template: Database) -> AsyncIterator[Planted]:
    """The same for Seattle, and nothing of any other store. Only read."""
    async with opened(await make_twin(planted_template, "zava_twin")) as parts:
        yield parts
