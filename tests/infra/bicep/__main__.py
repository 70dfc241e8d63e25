from __future__ import annotations

import sys
from pathlib import Path

from tests.infra.bicep.project import Project
from tests.infra.bicep.resources import check
from tests.infra.bicep.types import ResourceTypes, snapshot_file


def main(folder: str) -> int:
    file = snapshot_file()
    project = Project(Path(folder), ResourceTypes(file) if file else None)
    found = check(project)
    for diagnostic in found:
        sys.stdout.write(f"{diagnostic}\n")
    types = "and properties against the types" if file else "NOT the properties: no type snapshot (ZAVA_BICEP_TYPES)"
    sys.stdout.write(f"{len(project.paths())} Bicep files, {len(found)} diagnostics; checked names, modules, {types}\n")
    return 1 if found or not project.paths() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
