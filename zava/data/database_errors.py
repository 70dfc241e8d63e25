"""What asyncpg raises, as errors of `zava.errors`: the one translation, which keeps values of rows out of messages."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import asyncpg

from zava.errors import DatabaseError, QueryTimeoutError, error_of_sqlstate

_CONNECTION_BROKE = "08000"


@contextmanager
def translated(statement_seconds: float | None = None) -> Generator[None]:
    """Let what goes wrong with the database in the block leave as an error of `zava.errors`.

    Args:
        statement_seconds: the limit of each statement, which an error that comes of it then names.

    Raises:
        QueryTimeoutError: a statement ran into its limit.
        DatabaseUnavailableError: no connection, or it broke.
        DatabaseError: whatever else PostgreSQL said, by its SQLSTATE.
    """
    try:
        yield
    except asyncpg.PostgresError as problem:
        raise error_of(problem, statement_seconds) from problem
    except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as problem:
        raise error_of_sqlstate(_CONNECTION_BROKE, "") from problem


def error_of(problem: asyncpg.PostgresError, statement_seconds: float | None) -> DatabaseError:
    # What has no position in the query came up while rows were read, and may quote one: to_tsquery() calls it a syntax
    # error when a text does not read as a search.
    told = problem.as_dict()
    said = told["message"] if "position" in told else "A text does not have the form that a function expects"
    error = error_of_sqlstate(told.get("sqlstate", ""), said)
    if isinstance(error, QueryTimeoutError) and statement_seconds is not None:
        return QueryTimeoutError(f"The query ran into its limit of {statement_seconds:g} seconds.", error.hint)
    return error
