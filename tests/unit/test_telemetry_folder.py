"""Where telemetry waits on disk nobody else can read it, whoever was there first."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from zava.platform.telemetry_backends.opencensus import _own_folder


def _open_to_all(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def _linked_elsewhere(folder: Path) -> None:
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)


def _linked_to_nowhere(folder: Path) -> None:
    folder.symlink_to(folder.with_name("nowhere"))


def test_a_folder_of_ones_own_is_used_again(tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"
    assert [_own_folder(folder), _own_folder(folder)] == [folder, folder]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("made", [_open_to_all, _linked_elsewhere, _linked_to_nowhere, Path.touch])
def test_a_folder_that_somebody_may_have_prepared_is_not_used(tmp_path: Path, made: Callable[[Path], object]) -> None:
    folder = tmp_path / "telemetry"
    made(folder)
    own = _own_folder(folder)
    assert own != folder
    assert stat.S_IMODE(own.lstat().st_mode) == 0o700
    own.rmdir()


def test_a_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "telemetry"
    folder.mkdir(mode=0o700)
    owner = folder.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    own = _own_folder(folder)
    assert own != folder
    own.rmdir()
