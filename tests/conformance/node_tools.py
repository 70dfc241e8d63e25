"""The suite and the Inspector: `python -m tests.conformance.node_tools` installs them; `run` does it by itself."""

from __future__ import annotations

from pathlib import Path

from tests.node_packages import NodePackages, NodeToolsError, node

__all__ = ["INSPECTOR", "PACKAGES", "SUITE", "NodeToolsError", "node"]

PACKAGES = NodePackages(Path(__file__).parent, "the MCP conformance suite and the Inspector, 150 MB")
SUITE = PACKAGES.path("@modelcontextprotocol/conformance/dist/index.js")
INSPECTOR = PACKAGES.path("@modelcontextprotocol/inspector/clients/launcher/build/index.js")

if __name__ == "__main__":
    PACKAGES.install()
