"""`make clean-data` removes Zava's data folder and nothing else."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zava.local import clean, data_folder
from zava.local.data_folder import DataFolderError

CHECKOUT = Path(__file__).parents[2]


def make_clean_data(folder: Path) -> tuple[int, str, str]:
    """As the Makefile runs it: in a bare interpreter, without what is installed."""
    command = [sys.executable, "-I", "-S", "-c"]
    code = f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); from zava.local.clean import main; main()"
    done = subprocess.run([*command, code, "--data", folder], check=False, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder with a tree in it, and a link out of it."""
    folder = tmp_path / "home"
    data_folder.mark(folder)
    (folder / "postgres" / "data").mkdir(parents=True)
    (folder / "postgres" / "data" / "PG_VERSION").write_text("16\n")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "note.txt").write_text("mine")
    (folder / "link").symlink_to(tmp_path / "outside")
    return folder


def test_a_data_folder_goes_and_what_it_links_to_stays(home: Path) -> None:
    assert make_clean_data(home) == (0, f"Removed {home}.\n", "")
    assert not home.exists()
    assert (home.parent / "outside" / "note.txt").read_text() == "mine"


def test_the_servers_files_elsewhere_go_too(home: Path) -> None:
    elsewhere = data_folder.elsewhere(home)
    (home / "postgres").rename(elsewhere)
    (home / "postgres").symlink_to(elsewhere)
    clean.remove(home)
    assert not elsewhere.exists()


def test_the_servers_files_of_another_folder_stay(home: Path) -> None:
    (home / "postgres").rename(home.parent / "copied from")
    (home / "postgres").symlink_to(home.parent / "copied from")
    clean.remove(home)
    assert (home.parent / "copied from" / "data" / "PG_VERSION").exists()


def test_a_missing_folder_is_no_problem(tmp_path: Path) -> None:
    assert make_clean_data(tmp_path / "none") == (0, f"There is no data in {tmp_path / 'none'}: nothing to do.\n", "")


def test_a_folder_that_is_not_zavas_is_refused(home: Path) -> None:
    other = home.parent / "outside"
    sentence = f"{other} does not look like Zava's data (it holds no zava.lock): nothing was removed.\n"
    assert make_clean_data(other) == (1, "", sentence)
    assert (other / "note.txt").exists()


def test_a_folder_in_use_is_refused(home: Path) -> None:
    descriptor = data_folder.lock(home)
    try:
        sentence = (
            f"Another Zava uses this data folder (pid {os.getpid()}): stop it, or name another folder with DATA=.\n"
        )
        assert make_clean_data(home) == (1, "", sentence)
        assert (home / "postgres" / "data").exists()
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ENOSPC", "The disk that holds /data is full: free about 1 GB and start again."),
        ("EDQUOT", "The disk that holds /data is full: free about 1 GB and start again."),
        ("EACCES", "/data cannot be written by this user: name another folder with DATA=, or start Zava as "),
        ("EROFS", "/data cannot be written by this user: name another folder with DATA=, or start Zava as "),
        ("ENOTDIR", "/data is not a folder: name another one with DATA=."),
        ("EIO", "/data: Input/output error; name another folder with DATA=."),
    ],
)
def test_an_error_of_the_system_becomes_a_sentence(code: str, sentence: str) -> None:
    number: int = getattr(errno, code)
    assert data_folder.explain(Path("/data"), OSError(number, os.strerror(number))).startswith(sentence)


def test_a_failed_removal_leaves_the_marker_so_that_the_next_can_finish(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("shutil.rmtree", fail)
    with pytest.raises(DataFolderError, match="cannot be written by this user"):
        clean.remove(home)
    monkeypatch.undo()
    assert clean.remove(home)
