"""What the administrator's commands share: a connection from the environment, and one sentence for what went wrong."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from zava.data.administration import AdministratorConnection


def run(work: Callable[[AdministratorConnection], Coroutine[Any, Any, str]]) -> int:
    """Do `work` as the administrator and print what it returns: 0, or 1 or 2 with the reason on standard error.

    `work` raises ValueError for what the person at the keyboard can mend.
    """

    try:
        text = asyncio.run(work(AdministratorConnection.of_environment(os.environ)))
    except KeyError as missing:
        sys.stderr.write(f"Set {missing.args[0]}: the administrator's connection comes from the environment.\n")
        return 2
    except (ValueError, OSError, asyncpg.PostgresError) as problem:
        sys.stderr.write(f"Nothing was changed: {problem}\n")
        return 1
    sys.stdout.write(f"{text}\n")
    return 0


@asynccontextmanager
async def as_role(administrator: AdministratorConnection, role: str) -> AsyncGenerator[asyncpg.Connection]:
    """A connection inside a transaction that acts as one of Zava's own roles."""
    connection = await administrator.open()
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL ROLE {role}")
            yield connection
    finally:
        await connection.close()
