"""The tests' hold on the embedded server's process: it is stopped, killed, frozen, and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import psutil

from zava.local import exec_server
from zava.local.postgres_files import server_account

_SECONDS = 30.0


class Postmaster:
    """The server on a data directory; `command` is how it is started."""

    def __init__(self, data: Path, process: psutil.Process, command: list[str]) -> None:
        self._data = data
        self._process = process
        self._command = command
        self._ours: subprocess.Popen[bytes] | None = None

    @classmethod
    def taken_over(cls, data: Path, *settings: str) -> Self:
        """Start a server that somebody else started again, on the same port, with `name=value` settings of its own."""
        process = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
        command = [*process.cmdline(), *(part for setting in settings for part in ("-c", setting))]
        postmaster = cls(data, process, command)
        postmaster.stop()
        postmaster.start()
        return postmaster

    @property
    def port(self) -> int:
        """The one it is started on, unless another is given."""
        return int(self._command[self._command.index("-p") + 1])

    def signal(self, number: signal.Signals) -> None:
        """To the postmaster and its sessions: a machine stands still, or dies, with all of them."""
        for process in (self._process, *self._process.children()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def stop(self) -> None:
        """As an administrator does it: sessions are ended, a checkpoint is written."""
        self._process.send_signal(signal.SIGINT)
        self._wait()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self._wait()

    def _wait(self) -> None:
        if self._ours is not None:
            self._ours.wait(_SECONDS)
        else:
            self._process.wait(_SECONDS)

    def start(self, port: int | None = None) -> None:
        """Start it, on another port if one is given, and wait until it takes connections."""
        command = list(self._command)
        if port is not None:
            command[command.index("-p") + 1] = str(port)
        account = server_account()
        ends_at = time.monotonic() + _SECONDS
        while True:
            self._ours = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", exec_server.__file__, str(os.getpid())),
                    *(str(account.uid), str(account.gid), *command),
                ],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.environ.get("PATH", os.defpath)},
                start_new_session=True,
            )
            while self._ours.poll() is None and not self._is_ready():
                time.sleep(0.01)
            if self._ours.poll() is None:
                self._process = psutil.Process(self._ours.pid)
                return
            # The last sessions of a killed server are just about to notice that it is gone.
            assert time.monotonic() < ends_at, "PostgreSQL did not start again"
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        assert self._ours is not None
        with contextlib.suppress(FileNotFoundError):
            lines = (self._data / "postmaster.pid").read_text(errors="replace").splitlines()
            return len(lines) > 7 and lines[0] == str(self._ours.pid) and lines[7].strip() == "ready"
        return False
