"""Definitions of resource types: names, flags and allowed values of their properties.

They come from a snapshot beside the checkout, in a folder `shared/bicheck` next to it or named by ZAVA_BICEP_TYPES. It
is Microsoft's data (bicep-types-az, MIT) and too large to keep here; no package registry has it. Without it everything
else is checked still.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypeAlias

Definition: TypeAlias = dict[str, Any]

REQUIRED, READ_ONLY = 1, 2  # flags of a property

UNCHECKED_TYPES = frozenset(
    {
        "Microsoft.Cache/redisEnterprise@2025-07-01",
        "Microsoft.Cache/redisEnterprise/databases@2025-07-01",
        "Microsoft.Insights/webtests@2022-06-15",
        "Microsoft.Insights/workbooks@2023-06-01",
        "Microsoft.KeyVault/vaults/secrets@2025-05-01",
    }
)
"""What `infra/` uses and the snapshot lacks: their properties are checked by the real compiler alone."""

_BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[4] / "shared" / "bicheck" / "types_snapshot.json"


def snapshot_file() -> Path | None:
    """Where the snapshot is; None when there is none."""
    file = Path(os.environ.get("ZAVA_BICEP_TYPES") or _BESIDE_THE_CHECKOUT)
    return file if file.is_file() else None


class ResourceType:
    """One type in one version; its definitions refer to each other by position."""

    def __init__(self, name: str, definitions: list[Definition], position: int) -> None:
        self.name = name
        self._definitions = definitions
        self.body = self.referred(definitions[position]["body"])

    def referred(self, reference: Definition) -> Definition:
        return self._definitions[int(reference["$ref"].rsplit("/", 1)[1])]


class ResourceTypes:
    def __init__(self, file: Path) -> None:
        data = json.loads(file.read_text("utf-8"))
        self._index: dict[str, tuple[str, int]] = data["index"]
        self._types: dict[str, list[Definition]] = data["types"]

    def find(self, name: str) -> ResourceType | None:
        """`name` is `Provider/type@version`, letter for letter."""
        if name not in self._index:
            return None
        key, position = self._index[name]
        return ResourceType(name, self._types[key], position)
