"""What a deployment would ask Azure for: every resource with its values, for given parameters.

Values that Azure alone knows (host names, ids it hands out) come from a table of plausible ones.
"""

from __future__ import annotations

import json
import operator
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.infra.bicep.project import File, Project
from tests.infra.bicep.syntax import (
    Access,
    Array,
    Binary,
    Call,
    Conditional,
    Expression,
    For,
    If,
    Index,
    Literal,
    Module,
    Name,
    Object,
    Resource,
    Text,
    Unary,
    Variable,
)


def _made_by_azure(resource: str) -> dict[str, Any]:
    """What a resource of this name has after it was made."""
    blob = f"https://{resource}.blob.core.windows.net/"
    return {
        "clientId": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"client.{resource}")),
        "principalId": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"principal.{resource}")),
        "fullyQualifiedDomainName": f"{resource}.postgres.database.azure.com",
        "vaultUri": f"https://{resource}.vault.azure.net/",
        "endpoint": f"https://{resource}.openai.azure.com/",
        "defaultHostName": f"{resource}.azurewebsites.net",
        "hostName": f"{resource}.redis.azure.net",
        "port": 10_000,
        "ConnectionString": f"InstrumentationKey={uuid.UUID(int=1)};IngestionEndpoint=https://in.applicationinsights.azure.com/",
        "primaryEndpoints": {"blob": blob, "table": blob.replace("blob", "table")},
    }


@dataclass(frozen=True, slots=True)
class Deployed:
    """One resource as Azure would be asked for it."""

    type: str  # without the version
    module: str  # the file's name without its suffix
    symbol: str
    body: dict[str, Any]

    @property
    def properties(self) -> dict[str, Any]:
        return self.body.get("properties", {})


@dataclass(slots=True)
class Deployment:
    resources: list[Deployed] = field(default_factory=list[Deployed])
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])

    def of_type(self, kind: str) -> list[Deployed]:
        return [resource for resource in self.resources if resource.type == kind]

    def one(self, kind: str, symbol: str | None = None) -> Deployed:
        (found,) = [one for one in self.of_type(kind) if symbol in {None, one.symbol}]
        return found


def evaluate(project: Project, parameters: Mapping[str, Any]) -> Deployment:
    """Deploy `main.bicep`, on paper. Parameters that are not given have their defaults."""
    deployment = Deployment()
    main = _FileRun(project, project.file(project.folder / "main.bicep"), dict(parameters), deployment)
    deployment.outputs = main.run()
    return deployment


class _FileRun:
    def __init__(self, project: Project, file: File, given: dict[str, Any], deployment: Deployment) -> None:
        self._project = project
        self._file = file
        self._given = given
        self._deployment = deployment
        self._values: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        """Returns the outputs."""
        for declaration in self._file.declarations:
            if isinstance(declaration, Resource | Module):
                self._named(declaration.name, {})
        return {output.name: self._value(output.value, {}) for output in self._file.outputs.values()}

    def _named(self, name: str, local: Mapping[str, Any]) -> Any:
        if name in local:
            return local[name]
        if name not in self._values:
            declared = self._file.names[name]
            if isinstance(declared, Variable):
                self._values[name] = self._value(declared.value, {})
            elif isinstance(declared, Resource):
                self._values[name] = self._resources(declared, declared.type, declared.body, {})
            elif isinstance(declared, Module):
                self._values[name] = self._module(declared)
            else:
                parameter = self._file.parameters[name]
                if name in self._given:
                    self._values[name] = self._given[name]
                else:
                    self._values[name] = None if parameter.default is None else self._value(parameter.default, {})
        return self._values[name]

    def _module(self, module: Module) -> Any:
        body = module.body
        if isinstance(body, If):
            if not self._value(body.condition, {}):
                return None
            body = body.body
        assert isinstance(body, Object)
        parameters = body.by_name.get("params")
        given: dict[str, Any] = self._value(parameters, {}) if parameters else {}
        file = self._project.file(self._file.module_path(module))
        return {"outputs": _FileRun(self._project, file, given, self._deployment).run()}

    def _resources(self, resource: Resource, kind: str, body: Expression, local: dict[str, Any]) -> Any:
        if isinstance(body, If):
            return self._resources(resource, kind, body.body, local) if self._value(body.condition, local) else None
        if isinstance(body, For):
            sources = self._value(body.source, local)
            return [self._resources(resource, kind, body.body, {**local, body.variables[0]: one}) for one in sources]
        assert isinstance(body, Object)
        asked = {str(key): value for key, value in self._object(body, local).items()}
        if not resource.existing:
            self._deployment.resources.append(
                Deployed(kind.partition("@")[0], self._file.path.stem, resource.name, asked)
            )
        name = str(asked.get("name", ""))
        known = {"id": f"/{kind.partition('@')[0]}/{name}", "name": name}
        nested: dict[str, Any] = {}
        for inner in body.resources:
            full = f"{kind.partition('@')[0]}/{inner.type}"
            nested[inner.name] = self._resources(inner, full, inner.body, {**local, resource.name: known})
        return {**asked, **known, "properties": {**asked.get("properties", {}), **_made_by_azure(name)}, "::": nested}

    def _object(self, node: Object, local: Mapping[str, Any]) -> dict[Any, Any]:
        return {
            entry.key if isinstance(entry.key, str) else self._value(entry.key, local): self._value(entry.value, local)
            for entry in node.properties
        }

    def _value(self, node: Expression, local: Mapping[str, Any]) -> Any:
        match node:
            case Literal(value):
                return value
            case Name(name):
                return self._named(name, local)
            case Text(parts):
                return "".join(part if isinstance(part, str) else str(self._value(part, local)) for part in parts)
            case Object():
                return self._object(node, local)
            case Array(items):
                return [self._value(item, local) for item in items]
            case Access(target, name, nested):
                value = self._value(target, local)
                return value["::"][name] if nested else value[name]
            case Index(target, index):
                return self._value(target, local)[self._value(index, local)]
            case Call(target, function, arguments):
                return self._call(target, function, [self._value(argument, local) for argument in arguments])
            case _:
                return self._operation(node, local)

    def _operation(self, node: Expression, local: Mapping[str, Any]) -> Any:
        match node:
            case Conditional(condition, then, otherwise):
                return self._value(then if self._value(condition, local) else otherwise, local)
            case Unary(sign, operand):
                value = self._value(operand, local)
                return not value if sign == "!" else -value if sign == "-" else value
            case Binary(sign, left, right):
                return _OPERATORS[sign](self._value(left, local), self._value(right, local))
            case _:
                raise AssertionError(f"{type(node).__name__} stands around resources only")

    def _call(self, target: Expression | None, function: str, arguments: list[Any]) -> Any:
        if target is not None:
            assert function == "listKeys"
            return {"primaryKey": "key-of-redis"}
        if function == "loadTextContent":
            return (self._file.path.parent / Path(arguments[0])).read_text("utf-8")
        return _FUNCTIONS[function](*arguments)


def _union(*objects: dict[str, Any]) -> dict[str, Any]:
    return {name: value for one in objects for name, value in one.items()}


def _concat(*lists: list[Any]) -> list[Any]:
    return [one for items in lists for one in items]


def _guid(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, "/".join(parts)))


def _string(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "union": _union,
    "concat": _concat,
    "empty": operator.not_,
    "environment": lambda: {"suffixes": {"storage": "core.windows.net"}},
    "guid": _guid,
    "string": _string,
    "subscription": lambda: {"id": "/subscriptions/example"},
    "subscriptionResourceId": "/{}/{}".format,
    "tenant": lambda: {"tenantId": str(uuid.UUID(int=2))},
    "toLower": str.lower,
    "uniqueString": lambda *_: "abcdefghijklm",
    "uriComponent": str,
    "utcNow": lambda *_: "2026-11-01",
}
