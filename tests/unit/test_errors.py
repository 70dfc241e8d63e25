"""The error tree: what its docstring draws is what it is, and SQLSTATEs land where they belong."""

from __future__ import annotations

import inspect

import pytest

from zava import errors
from zava.errors import MCPError, error_of_sqlstate


def _tree() -> dict[str, type[MCPError]]:
    return {name: kind for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, MCPError)}


def test_the_docstring_draws_every_class_with_its_code() -> None:
    lines = [line.strip(" |`-") for line in (errors.__doc__ or "").splitlines() if line.startswith("    ")]
    drawn = {line.split()[0]: line.split()[1] for line in lines}
    assert drawn == {name: kind.code for name, kind in _tree().items()}


def test_no_two_classes_share_a_code() -> None:
    codes = [kind.code for kind in _tree().values()]
    assert len(codes) == len(set(codes))


def test_an_error_shows_code_message_and_hint_and_leaves_an_empty_hint_out() -> None:
    assert errors.BusyError("Busy.", "Wait.").as_dict() == {"code": "BUSY", "message": "Busy.", "hint": "Wait."}
    assert errors.BusyError("Busy.").as_dict() == {"code": "BUSY", "message": "Busy."}


@pytest.mark.parametrize(
    ("sqlstate", "code", "retryable"),
    [
        ("57014", "QUERY_TIMEOUT", False),
        ("57P01", "DATABASE_UNAVAILABLE", True),
        ("08006", "DATABASE_UNAVAILABLE", True),
        ("40001", "DATABASE_UNAVAILABLE", True),
        ("53300", "DATABASE_UNAVAILABLE", True),
        ("42601", "QUERY_ERROR", False),
        ("42501", "QUERY_REFUSED", False),
        ("25006", "QUERY_REFUSED", False),
        ("22012", "QUERY_ERROR", False),
        ("21000", "QUERY_ERROR", False),
        ("54001", "QUERY_ERROR", False),
        ("XX000", "DATABASE_ERROR", False),
        ("", "DATABASE_ERROR", False),
    ],
)
def test_a_sqlstate_becomes_one_error(sqlstate: str, code: str, retryable: bool) -> None:
    error = error_of_sqlstate(sqlstate, "the server's message")
    assert (error.code, error.retryable) == (code, retryable)


def test_only_class_42_repeats_the_servers_message() -> None:
    for sqlstate in errors._BY_SQLSTATE:
        error = error_of_sqlstate(sqlstate if len(sqlstate) == 5 else sqlstate + "000", "SECRET")
        assert ("SECRET" in error.message) == (sqlstate == "42"), sqlstate
        assert "SECRET" not in error.hint
