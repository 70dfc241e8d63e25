"""The annotations all tools share: they read, change nothing, and reach nothing beyond Zava's database."""

from __future__ import annotations

from mcp.types import ToolAnnotations


def read_only(title: str, *, idempotent: bool = True) -> ToolAnnotations:
    return ToolAnnotations(
        title=title, read_only_hint=True, destructive_hint=False, idempotent_hint=idempotent, open_world_hint=False
    )
