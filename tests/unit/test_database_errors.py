"""What asyncpg raises leaves as an error of the tree, and no message of one quotes a row."""

from __future__ import annotations

import asyncpg
import pytest

from zava.data.database_errors import translated
from zava.errors import DatabaseError

_UNKNOWN_COLUMN = {"C": "42703", "M": 'column "x" does not exist', "P": "8"}
_LATE_SYNTAX_ERROR = {"C": "42601", "M": 'syntax error in tsquery: "ada@example.com &"'}
_TIMEOUT = {"C": "57014", "M": "canceling statement due to statement timeout"}


@pytest.mark.parametrize(
    ("problem", "code", "message"),
    [
        (asyncpg.PostgresError.new(_UNKNOWN_COLUMN), "QUERY_ERROR", 'column "x" does not exist.'),
        (
            asyncpg.PostgresError.new(_LATE_SYNTAX_ERROR),
            "QUERY_ERROR",
            "A text does not have the form that a function expects.",
        ),
        (asyncpg.PostgresError.new(_TIMEOUT), "QUERY_TIMEOUT", "The query ran into its limit of 2.5 seconds."),
        (ConnectionResetError(), "DATABASE_UNAVAILABLE", "The connection to the database broke."),
        (asyncpg.InterfaceError("closed"), "DATABASE_UNAVAILABLE", "The connection to the database broke."),
        (asyncpg.InternalClientError("state"), "DATABASE_UNAVAILABLE", "The connection to the database broke."),
    ],
    ids=["unknown column", "syntax error while rows are read", "time limit", "socket", "closed", "farewell"],
)
def test_a_problem_becomes_one_error(problem: Exception, code: str, message: str) -> None:
    with pytest.raises(DatabaseError) as raised, translated(2.5):
        raise problem
    assert (raised.value.code, raised.value.message) == (code, message)
    assert raised.value.__cause__ is problem
