"""What a Bicep file says, as values. `at` is the offset in the text, for messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, TypeAlias


class BicepError(Exception):
    """The text is not Bicep, or not the part of it that this reader knows."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Literal:
    value: int | bool | None
    at: int


@dataclass(frozen=True, slots=True)
class Text:
    """A string; what is interpolated stands between its literal parts."""

    parts: tuple[str | Expression, ...]
    at: int

    @property
    def literal(self) -> str | None:
        part = self.parts[0] if len(self.parts) == 1 else None
        return part if isinstance(part, str) else None


@dataclass(frozen=True, slots=True)
class Property:
    key: str | Text  # a Text only when something is interpolated
    value: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Object:
    properties: tuple[Property, ...]
    resources: tuple[Resource, ...]
    at: int

    @property
    def by_name(self) -> dict[str, Expression]:
        return {entry.key: entry.value for entry in self.properties if isinstance(entry.key, str)}


@dataclass(frozen=True, slots=True)
class Array:
    items: tuple[Expression, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Access:
    """`target.name`, or `target::name` for a resource nested in a resource."""

    target: Expression
    name: str
    nested: bool
    at: int


@dataclass(frozen=True, slots=True)
class Index:
    target: Expression
    index: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Unary:
    """`!x`, `-x`, `x!` (surely not null) and `(x)`."""

    operator: str
    operand: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Expression
    right: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Conditional:
    condition: Expression
    then: Expression
    otherwise: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """`function(...)`, or `target.function(...)`."""

    target: Expression | None
    function: str
    arguments: tuple[Expression, ...]
    at: int


@dataclass(frozen=True, slots=True)
class For:
    variables: tuple[str, ...]
    source: Expression
    body: Expression
    at: int


@dataclass(frozen=True, slots=True)
class If:
    condition: Expression
    body: Object
    at: int


Expression: TypeAlias = (
    Name | Literal | Text | Object | Array | Access | Index | Unary | Binary | Conditional | Call | For | If
)


@dataclass(frozen=True, slots=True)
class DeclaredType:
    kind: str  # string, int, bool, object, array
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: DeclaredType
    default: Expression | None
    decorators: tuple[Call, ...]
    at: int

    def decorated(self, decorator: str) -> Call | None:
        return next((call for call in self.decorators if call.function == decorator), None)

    @property
    def required(self) -> bool:
        return self.default is None and not self.type.optional


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    value: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Output:
    name: str
    type: DeclaredType
    value: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Resource:
    name: str
    type: str
    existing: bool
    body: Expression
    decorators: tuple[Call, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Module:
    name: str
    path: str
    body: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Setting:
    """`targetScope = ...` and `metadata name = ...`."""

    name: str
    value: Expression
    at: int


Declaration: TypeAlias = Parameter | Variable | Output | Resource | Module | Setting


def children(node: Expression) -> Iterator[Expression]:
    """The expressions directly within; those of nested resources are not among them."""
    if isinstance(node, Object):
        for entry in node.properties:
            if isinstance(entry.key, Text):
                yield entry.key
            yield entry.value
        return
    for field in fields(node):
        value: Any = getattr(node, field.name)
        for child in value if isinstance(value, tuple) else (value,):
            if isinstance(child, Expression):
                yield child


def bare(node: Expression) -> Expression:
    """Without parentheses and non-null marks."""
    while isinstance(node, Unary) and node.operator in {"(", "x!"}:
        node = node.operand
    return node


def unwrapped(body: Expression) -> tuple[Object, tuple[Expression, ...]]:
    """The object of a resource or module, and the condition or loop source around it."""
    around: list[Expression] = []
    while isinstance(body, For | If):
        around.append(body.source if isinstance(body, For) else body.condition)
        body = body.body
    if not isinstance(body, Object):
        raise BicepError("a resource or module is an object", body.at)
    return body, tuple(around)
