"""What the tests of the walls share; see `planted.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.conftest import Cluster, Database, _create_clone
from tests.security.database_state import DatabaseState
from tests.security.pgbouncer import PgBouncer
from tests.security.pgbouncer import is_installed as pgbouncer_is_installed
from tests.security.pgbouncer import running as running_pgbouncer
from tests.security.planted import Planted, copy_of, make_planted, make_twin, opened
from tests.services import missing


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


@pytest.fixture(scope="module")
async def state(planted: Planted) -> DatabaseState:
    """What is written in the planted database as a module's tests begin."""
    return await DatabaseState.now(planted.superuser)


@pytest.fixture(scope="session")
def pgbouncer(cluster: Cluster) -> Iterator[PgBouncer]:
    if not pgbouncer_is_installed():
        missing("PgBouncer is not installed (Debian: apt install pgbouncer)")
    with running_pgbouncer(cluster) as pooler:
        yield pooler


@pytest.fixture(params=["direct", "through PgBouncer"])
def route(request: pytest.FixtureRequest) -> Callable[[Database], Database]:
    """How the app reaches a database."""
    if request.param == "direct":
        return lambda database: database
    pooler: PgBouncer = request.getfixturevalue("pgbouncer")
    return pooler.before
