"""Checks on modules and resources: paths, parameters, scopes, names, parents, and properties against the types."""

from __future__ import annotations

from tests.infra.bicep.literals import check_literal
from tests.infra.bicep.names import check_names, check_start_values
from tests.infra.bicep.project import Diagnostic, File, Project, properties_of
from tests.infra.bicep.syntax import Module, Name, Object, Resource, bare, unwrapped
from tests.infra.bicep.types import UNCHECKED_TYPES
from tests.infra.bicep.values import PropertyCheck

_OF_A_MODULE = {"name", "scope", "params", "dependsOn"}


def check(project: Project) -> list[Diagnostic]:
    """Everything found in the project's files, in order of file and line."""
    for path in project.paths():
        file = project.file(path)
        check_names(project, file)
        for declaration in file.declarations:
            if isinstance(declaration, Module):
                _check_module(project, file, declaration)
        for resource, parent in file.all_resources():
            _check_resource(project, file, resource, parent)
    return sorted(found for path in project.paths() for found in project.file(path).diagnostics)


def _check_module(project: Project, file: File, module: Module) -> None:
    body, around = unwrapped(module.body)
    given = body.by_name
    for expression in around:
        check_start_values(file, expression, f"the condition of module {module.name!r}")
    for entry in body.properties:
        if entry.key not in _OF_A_MODULE:
            file.report(entry.at, "BCP037", f"a module has no property {entry.key!r}")
    if "name" in given:
        check_start_values(file, given["name"], f"the name of module {module.name!r}")
    if not file.module_path(module).is_file():
        file.report(module.at, "BCP091", f"the module {module.path!r} is not there")
        return
    inside = project.file(file.module_path(module))
    if not inside.declarations:
        return
    parameters = given["params"] if isinstance(given.get("params"), Object) else Object((), (), module.at)
    assert isinstance(parameters, Object)
    for entry in parameters.properties:
        parameter = inside.parameters.get(str(entry.key))
        if parameter is None:
            file.report(entry.at, "BCP037", f"{module.path} has no parameter {entry.key!r}")
        else:
            check_literal(file, entry.value, parameter, f"{entry.key} of {module.path}")
    for name, parameter in inside.parameters.items():
        if parameter.required and name not in parameters.by_name:
            file.report(module.at, "BCP035", f"module {module.name!r} needs the parameter {name!r}")
    if inside.scope != file.scope and "scope" not in given:
        file.report(module.at, "BCP134", f"module {module.name!r} needs a scope")


def _check_resource(project: Project, file: File, resource: Resource, parent: Resource | None) -> None:
    body, around = unwrapped(resource.body)
    given = body.by_name
    for expression in around:
        check_start_values(file, expression, f"the condition or loop of {resource.name!r}")
    if "name" in given:
        check_start_values(file, given["name"], f"the name of {resource.name!r}")
    else:
        file.report(resource.at, "BCP035", f"resource {resource.name!r} has no name")
    if "@" not in resource.type:
        file.report(resource.at, "BCP029", f"type {resource.type!r} has no version")
        return
    if "parent" in given:
        _check_parent(file, resource, given["parent"])
    elif parent is None and resource.type.count("/") > 1:
        file.report(resource.at, "BCP169", f"{resource.name!r} needs a parent")
    if project.types is None or resource.type in UNCHECKED_TYPES:
        return
    kind = project.types.find(resource.type)
    if kind is None:
        file.report(resource.at, "BCP081", f"{resource.type} is not in the snapshot")
    elif not resource.existing:
        PropertyCheck(file, kind).check(resource.name, properties_of(resource))


def _check_parent(file: File, resource: Resource, node: object) -> None:
    target = bare(node) if isinstance(node, Name) else None
    declared = file.names.get(target.name) if isinstance(target, Name) else None
    expected = resource.type.partition("@")[0].rpartition("/")[0]
    if isinstance(declared, Resource) and declared.type.partition("@")[0] != expected:
        file.report(resource.at, "BCP036", f"the parent of {resource.name!r} is no {expected}")
