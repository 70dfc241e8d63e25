"""The host side of MCP Apps and the checker of accessibility: `python -m tests.browser.packages` installs them."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from tests.node_packages import NodePackages, node

FOLDER = Path(__file__).parent
PACKAGES = NodePackages(FOLDER, "the browser tests' packages, 35 MB")


@cache
def host_script() -> str:
    """`host.js` and all it imports, as one script for a page."""
    esbuild = [str(node()), str(PACKAGES.path("esbuild/bin/esbuild"))]
    command = [*esbuild, "host.js", "--bundle", "--format=iife", "--log-level=warning"]
    return subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=True).stdout


@cache
def axe_script() -> str:
    return PACKAGES.path("axe-core/axe.min.js").read_text("utf-8")


if __name__ == "__main__":
    PACKAGES.install()
