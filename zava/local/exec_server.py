"""Becomes a server program that is never root and ends with the process that started it.

    python -I -S exec_server.py PARENT UID GID PROGRAM ARGUMENT...

A program of its own rather than a `preexec_fn`: code between fork and exec is unsafe once a process has threads, and
root's interpreter may lie where `nobody` cannot read it, so it drops its rights last.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: str, uid: str, gid: str, program: str, *arguments: str) -> None:  # pragma: no cover  (another process)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    os.umask(0o077)
    if sys.platform == "linux":  # after the change of user, which clears it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the starting process has ended")
    os.execv(program, [program, *arguments])  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
