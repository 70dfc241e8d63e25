"""What `make run` says when the database ends under it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from zava.local import run


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (asyncpg.DiskFullError("could not extend file"), "The disk that holds {data} is full: free about 1 GB"),
        (asyncpg.InterfaceError("the underlying connection is closed"), "PostgreSQL ended, see {data}/postgres.log"),
        (asyncpg.ConnectionDoesNotExistError("closed in the middle"), "PostgreSQL ended, see {data}/postgres.log"),
    ],
    ids=["refused for want of space", "connection closed", "connection lost"],
)
def test_a_database_that_cannot_be_filled_is_one_sentence(
    failure: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def prepared(_data: Path, *, scale: float) -> Generator[dict[str, str]]:
        assert scale == 1
        yield from ()
        raise failure

    monkeypatch.setattr(run, "prepared", prepared)
    assert run.main(["--port", "0", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(said.format(data=tmp_path))
