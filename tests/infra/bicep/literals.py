"""What a piece of Bicep's text says of its own type, and whether that fits a parameter."""

from __future__ import annotations

from collections.abc import Iterator

from tests.infra.bicep.project import File
from tests.infra.bicep.syntax import (
    Access,
    Array,
    Conditional,
    Expression,
    For,
    Literal,
    Name,
    Object,
    Parameter,
    Text,
    Variable,
    bare,
)


def alternatives(node: Expression) -> Iterator[Expression]:
    """What an expression may turn out to be, with the branches of conditions apart."""
    node = bare(node)
    if isinstance(node, Conditional):
        yield from alternatives(node.then)
        yield from alternatives(node.otherwise)
    else:
        yield node


def check_literal(file: File, value: Expression, parameter: Parameter, what: str) -> None:
    """A literal given for a parameter has its type, and is one of the values it allows."""
    for given in sorted(_kinds(file, value) - {parameter.type.kind}):
        file.report(value.at, "BCP033", f"{what}: expected {parameter.type.kind}, got {given}")
    allowed = parameter.decorated("allowed")
    literal = value.literal if isinstance(value, Text) else value.value if isinstance(value, Literal) else None
    if allowed and literal is not None and isinstance(values := allowed.arguments[0], Array):
        admitted = [one.literal if isinstance(one, Text) else getattr(one, "value", None) for one in values.items]
        if literal not in admitted:
            file.report(value.at, "BCP033", f"{what}: {literal!r} is not one of {admitted}")


def kind_of(file: File, node: Expression) -> str | None:
    """string, int, bool, object or array, where the text itself says so."""
    kinds = _kinds(file, node)
    return kinds.pop() if len(kinds) == 1 else None


def _kinds(file: File, node: Expression) -> set[str]:
    """All it may be: branches of a condition may differ, and then one of them is wrong."""
    node = bare(node)
    match node:
        case Text():
            return {"string"}
        case Literal(bool()):
            return {"bool"}
        case Literal(int()):
            return {"int"}
        case Object():
            return {"object"}
        case Array() | For():
            return {"array"}
        case Name(name):
            declared = file.names.get(name)
            if isinstance(declared, Parameter):
                return {declared.type.kind}
            return _kinds(file, declared.value) if isinstance(declared, Variable) else set()
        case Access(target, name):
            declared = file.names.get(target.name) if isinstance(target, Name) else None
            if not isinstance(declared, Variable):
                return set()
            objects = [value for value in alternatives(declared.value) if isinstance(value, Object)]
            return {kind for value in objects if name in value.by_name for kind in _kinds(file, value.by_name[name])}
        case _:
            return set()
