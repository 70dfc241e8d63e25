"""The folder that holds one local Zava: its marker, its lock, and where its server's files go when not inside it.

Standard library only, and nothing newer than Python 3.8: `make clean-data` runs before anything is installed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from pathlib import Path

MARKER = "zava.lock"
SERVER = "postgres"


class DataFolderError(Exception):
    """The data folder cannot be used; the message is one sentence that says what to do."""


def mark(home: Path) -> None:
    """Make `home` a data folder, creating it where it is missing.

    As root the folder may be passed through by others (never listed): the server runs as `nobody`.

    Raises:
        DataFolderError: it holds files of something else, or cannot be written.
    """
    try:
        if not home.exists():
            home.parent.mkdir(parents=True, exist_ok=True)
            make_folder(home, 0o711 if os.geteuid() == 0 else 0o700)
        if not (home / MARKER).exists():
            if next(home.iterdir(), None) is not None:
                raise DataFolderError(
                    f"{home} already holds other files: name a new or empty folder, as in make run DATA=/some/folder."
                )
            os.close(os.open(home / MARKER, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as problem:
        raise DataFolderError(explain(home, problem)) from problem


def lock(home: Path) -> int:
    """Take the data folder for this process, marking it first. The lock ends with the process, or with `os.close`.

    Returns:
        The descriptor that holds the lock; child processes do not inherit it.

    Raises:
        DataFolderError: another process holds it, it holds files of something else, or it cannot be written.
    """
    while True:
        mark(home)
        try:
            descriptor = os.open(home / MARKER, os.O_RDWR)
        except FileNotFoundError:
            continue
        except OSError as problem:
            raise DataFolderError(explain(home, problem)) from problem
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink == 0:  # somebody cleaned the folder between open and lock
                os.close(descriptor)
                continue
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode() or "unknown"
            os.close(descriptor)
            raise DataFolderError(
                f"Another Zava uses this data folder (pid {holder}): stop it, or name another folder with DATA=."
            ) from None
        except OSError as problem:
            os.close(descriptor)
            raise DataFolderError(explain(home, problem)) from problem
        return descriptor


def elsewhere(home: Path) -> Path:
    """Where root keeps the server's files when `nobody` cannot reach `home`; `home/postgres` then links there."""
    return Path("/var/tmp") / f"zava-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"  # noqa: S108


def make_folder(path: Path, mode: int) -> None:
    """Make a folder with exactly this mode, whatever the umask; one that exists is left as it is."""
    if not path.is_dir():
        path.mkdir()
        path.chmod(mode)


def explain(home: Path, problem: OSError) -> str:
    """What a person can do about an operating system error on the data folder."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk that holds {home} is full: free about 1 GB and start again."
    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{problem.filename or home} cannot be written by this user: name another folder with DATA=, "
            "or start Zava as the user who made it."
        )
    if problem.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"{home} is not a folder: name another one with DATA=."
    return f"{problem.filename or home}: {problem.strerror}; name another folder with DATA=."
