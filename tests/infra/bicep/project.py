"""The files of a Bicep project and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.infra.bicep.parser import parse
from tests.infra.bicep.syntax import (
    BicepError,
    Declaration,
    Module,
    Object,
    Output,
    Parameter,
    Resource,
    Setting,
    Text,
    Variable,
    unwrapped,
)
from tests.infra.bicep.types import ResourceTypes


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    file: str
    line: int
    code: str  # the compiler's own where it has one
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.code}: {self.message}"


@dataclass(slots=True)
class File:
    path: Path
    source: str
    declarations: tuple[Declaration, ...] = ()
    names: dict[str, Declaration] = field(default_factory=dict[str, Declaration])
    diagnostics: list[Diagnostic] = field(default_factory=list[Diagnostic])

    def report(self, at: int, code: str, message: str) -> None:
        line = self.source.count("\n", 0, at) + 1
        found = Diagnostic(self.path.name, line, code, message)
        if found not in self.diagnostics:
            self.diagnostics.append(found)

    @property
    def scope(self) -> str:
        setting = next(
            (one for one in self.declarations if isinstance(one, Setting) and one.name == "targetScope"), None
        )
        literal = setting.value.literal if setting and isinstance(setting.value, Text) else None
        return literal or "resourceGroup"

    @property
    def parameters(self) -> dict[str, Parameter]:
        return {one.name: one for one in self.declarations if isinstance(one, Parameter)}

    @property
    def outputs(self) -> dict[str, Output]:
        return {one.name: one for one in self.declarations if isinstance(one, Output)}

    def module_path(self, module: Module) -> Path:
        return (self.path.parent / module.path).resolve()

    def all_resources(self) -> list[tuple[Resource, Resource | None]]:
        """Every resource with its full type, each after the one it stands in, if it stands in one."""
        found: list[tuple[Resource, Resource | None]] = []
        for declaration in self.declarations:
            if isinstance(declaration, Resource):
                self._collect(declaration, None, found)
        return found

    def _collect(
        self, resource: Resource, parent: Resource | None, found: list[tuple[Resource, Resource | None]]
    ) -> None:
        if parent is not None:
            kind, _, version = parent.type.partition("@")
            short, _, own_version = resource.type.partition("@")
            full = f"{kind}/{short}@{own_version or version}"
            resource = Resource(resource.name, full, resource.existing, resource.body, resource.decorators, resource.at)
        found.append((resource, parent))
        for nested in unwrapped(resource.body)[0].resources:
            self._collect(nested, resource, found)


class Project:
    """A folder with `main.bicep`; files are read on first need."""

    def __init__(self, folder: Path, types: ResourceTypes | None) -> None:
        self.folder = folder.resolve()
        self.types = types
        self._files: dict[Path, File] = {}

    def paths(self) -> list[Path]:
        return sorted(self.folder.rglob("*.bicep"))

    def file(self, path: Path) -> File:
        """The file, with a diagnostic and no declarations when it cannot be read."""
        path = path.resolve()
        if path not in self._files:
            file = self._files[path] = File(path, path.read_text("utf-8"))
            try:
                file.declarations = parse(file.source)
            except BicepError as problem:
                file.report(problem.at, "SYNTAX", str(problem))
            for declaration in file.declarations:
                if isinstance(declaration, Parameter | Variable | Resource | Module):
                    if declaration.name in file.names:
                        file.report(declaration.at, "BCP028", f"{declaration.name!r} is declared twice")
                    file.names[declaration.name] = declaration
        return self._files[path]


def properties_of(node: Resource | Module) -> Object:
    return unwrapped(node.body)[0]
