"""Checks on names: what is used is declared, what is declared is used, nothing depends on itself."""

from __future__ import annotations

from collections.abc import Iterator

from tests.infra.bicep.literals import alternatives, check_literal
from tests.infra.bicep.project import File, Project, properties_of
from tests.infra.bicep.syntax import (
    Access,
    Call,
    Declaration,
    Expression,
    For,
    Index,
    Module,
    Name,
    Object,
    Output,
    Parameter,
    Resource,
    Setting,
    Text,
    Variable,
    bare,
    children,
    unwrapped,
)

_FUNCTIONS = frozenset(
    """any concat contains empty environment first format guid int join last length loadJsonContent loadTextContent
    max min range replace resourceGroup resourceId split string subscription subscriptionResourceId substring take
    tenant toLower toUpper trim union uniqueString uriComponent utcNow""".split()
)
_DECORATORS = frozenset("allowed batchSize description maxLength maxValue metadata minLength minValue secure".split())
_MODULE_PROPERTIES = {"outputs", "name"}


def check_names(project: Project, file: File) -> None:
    used: set[str] = set()
    for declaration in file.declarations:
        for decorator in declaration.decorators if isinstance(declaration, Parameter | Resource) else ():
            if decorator.function not in _DECORATORS:
                file.report(decorator.at, "BCP057", f"unknown decorator @{decorator.function}")
        for expression in _expressions(declaration):
            _Visit(project, file, used).visit(expression, frozenset())
        if isinstance(declaration, Output):
            _check_secrets(file, declaration)
    for declaration in file.declarations:
        if isinstance(declaration, Parameter | Variable) and declaration.name not in used:
            file.report(declaration.at, "unused", f"{declaration.name!r} is never used")
        if isinstance(declaration, Parameter):
            _check_default(file, declaration)
    outputs = [declaration.name for declaration in file.declarations if isinstance(declaration, Output)]
    for name in {name for name in outputs if outputs.count(name) > 1}:
        file.report(file.outputs[name].at, "BCP145", f"output {name!r} is declared twice")
    _check_cycles(file)


def _expressions(declaration: object) -> Iterator[Expression]:
    match declaration:
        case Parameter(default=default):
            if default is not None:
                yield default
        case Variable(value=value) | Output(value=value) | Setting(value=value):
            yield value
        case Resource(body=body) | Module(body=body):
            yield body
        case _:
            return


class _Visit:
    def __init__(self, project: Project, file: File, used: set[str]) -> None:
        self._project = project
        self._file = file
        self._used = used

    def visit(self, node: Expression, local: frozenset[str]) -> None:
        match node:
            case Name(name, at):
                self._used.add(name)
                if name not in local and name not in self._file.names:
                    self._file.report(at, "BCP057", f"the name {name!r} does not exist")
            case Call(None, function, arguments, at):
                if function not in _FUNCTIONS:
                    self._file.report(at, "BCP082", f"the function {function!r} does not exist, or is not known here")
                if function.startswith("load"):
                    self._check_loaded(arguments, at)
            case Access(target, name, nested, at):
                self._check_access(bare(target), name, at, local, nested=nested)
            case _:
                pass
        inner = local | set(node.variables) if isinstance(node, For) else local
        if isinstance(node, Object):
            inner |= {resource.name for resource in node.resources}
            for resource in node.resources:
                self.visit(resource.body, inner)
        for child in children(node):
            self.visit(child, local if isinstance(node, For) and child is node.source else inner)

    def _check_loaded(self, arguments: tuple[Expression, ...], at: int) -> None:
        path = arguments[0].literal if arguments and isinstance(arguments[0], Text) else None
        if path is None or not (self._file.path.parent / path).is_file():
            self._file.report(at, "BCP091", f"the file {path!r} is not there")

    def _check_access(self, target: Expression, name: str, at: int, local: frozenset[str], *, nested: bool) -> None:
        if isinstance(target, Name) and target.name in local:
            return
        declared = self._declared(target)
        if nested:
            if not isinstance(declared, Resource) or name not in _nested(declared):
                self._file.report(at, "BCP158", f"no nested resource {name!r}")
        elif isinstance(declared, Module) and name not in _MODULE_PROPERTIES:
            self._file.report(at, "BCP053", f"module {declared.name!r} has no property {name!r}")
        elif isinstance(declared, Variable):
            self._check_variable(declared, name, at)
        elif isinstance(target, Access) and target.name == "outputs":
            module = self._declared(bare(target.target))
            if isinstance(module, Module) and self._file.module_path(module).is_file():
                file = self._project.file(self._file.module_path(module))
                if file.declarations and name not in file.outputs:
                    self._file.report(at, "BCP053", f"module {module.name!r} has no output {name!r}")

    def _declared(self, node: Expression) -> Declaration | None:
        if isinstance(node, Name):
            return self._file.names.get(node.name)
        if isinstance(node, Access) and node.nested:
            around = self._declared(node.target)
            return _nested(around).get(node.name) if isinstance(around, Resource) else None
        return None

    def _check_variable(self, variable: Variable, name: str, at: int) -> None:
        """Every object the variable may be must have the property."""
        for value in alternatives(variable.value):
            if isinstance(value, Object) and name not in value.by_name:
                self._file.report(at, "BCP053", f"{variable.name!r} has no property {name!r}")


def _nested(resource: Resource) -> dict[str, Resource]:
    return {one.name: one for one in properties_of(resource).resources}


def _check_secrets(file: File, output: Output) -> None:
    for node in _within(output.value):
        if isinstance(node, Call) and node.function.startswith("list"):
            file.report(output.at, "secret-in-output", f"output {output.name!r} gives away {node.function}()")
        declared = file.names.get(node.name) if isinstance(node, Name) else None
        if isinstance(declared, Parameter) and declared.decorated("secure"):
            file.report(output.at, "secret-in-output", f"output {output.name!r} gives away {declared.name!r}")


def _within(node: Expression) -> Iterator[Expression]:
    yield node
    for child in children(node):
        yield from _within(child)


def _check_default(file: File, parameter: Parameter) -> None:
    default = parameter.default
    if parameter.decorated("secure") and isinstance(default, Text) and default.literal != "":
        file.report(parameter.at, "secure-default", f"secure parameter {parameter.name!r} has a default")
    if default is not None:
        check_literal(file, default, parameter, f"default of {parameter.name!r}")


def check_start_values(file: File, node: Expression, what: str, seen: frozenset[str] = frozenset()) -> None:
    """Names, conditions and loops must be known before anything is deployed (BCP120)."""
    if isinstance(node, Access) and not node.nested:
        chain, target = [node.name], bare(node.target)
        while isinstance(target, Access | Index):
            chain.insert(0, target.name if isinstance(target, Access) else "")
            target = bare(target.target)
        declared = file.names.get(target.name) if isinstance(target, Name) else None
        runtime = (isinstance(declared, Resource) and chain[0] not in {"id", "name", "type"}) or (
            isinstance(declared, Module) and chain[0] == "outputs"
        )
        if runtime:
            file.report(node.at, "BCP120", f"{what} is only known after deployment")
            return
    if isinstance(node, Name) and node.name not in seen:
        declared = file.names.get(node.name)
        if isinstance(declared, Variable):
            check_start_values(file, declared.value, what, seen | {node.name})
    for child in children(node):
        check_start_values(file, child, what, seen)


def _check_cycles(file: File) -> None:
    graph: dict[str, set[str]] = {}
    for declaration in file.declarations:
        if isinstance(declaration, Resource | Module | Variable):
            body = declaration.value if isinstance(declaration, Variable) else declaration.body
            nested = unwrapped(body)[0].resources if not isinstance(declaration, Variable) else ()
            nodes = [body, *(resource.body for resource in nested)]
            used = {node.name for root in nodes for node in _within(root) if isinstance(node, Name)}
            graph[declaration.name] = used - {declaration.name} if nested else used
    done: set[str] = set()

    def follow(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            file.report(file.names[name].at, "BCP080", f"depends on itself: {' -> '.join([*path, name])}")
        elif name not in done:
            for used in sorted(graph.get(name, ())):
                follow(used, (*path, name))
            done.add(name)

    for name in graph:
        follow(name, ())
