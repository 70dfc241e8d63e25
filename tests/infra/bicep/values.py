"""Checks a resource's properties against the definition of its type."""

from __future__ import annotations

from tests.infra.bicep.literals import kind_of
from tests.infra.bicep.project import File
from tests.infra.bicep.syntax import (
    Access,
    Array,
    Call,
    Conditional,
    Expression,
    For,
    If,
    Name,
    Object,
    Text,
    Variable,
    bare,
)
from tests.infra.bicep.types import READ_ONLY, REQUIRED, Definition, ResourceType

_OF_EVERY_RESOURCE = {"scope", "parent", "dependsOn", "name"}
_SCALARS = {"StringType": "string", "IntegerType": "int", "BooleanType": "bool"}


class PropertyCheck:
    def __init__(self, file: File, kind: ResourceType) -> None:
        self._file = file
        self._kind = kind

    def check(self, name: str, body: Object) -> None:
        self._object(body, self._kind.body, name, root=True)

    def _value(self, node: Expression, expected: Definition, path: str, *, partial: bool = False) -> None:
        node = self._resolved(bare(node))
        match node:
            case Conditional(_, then, otherwise):
                self._value(then, expected, path, partial=partial)
                self._value(otherwise, expected, path, partial=partial)
            case Call(None, "union" | "concat", arguments):
                for argument in arguments:
                    self._value(argument, expected, path, partial=True)
            case _:
                self._plain(node, expected, path, partial=partial)

    def _resolved(self, node: Expression) -> Expression:
        """What a variable, or a property of an object variable, stands for."""
        if isinstance(node, Name):
            declared = self._file.names.get(node.name)
            return declared.value if isinstance(declared, Variable) else node
        if isinstance(node, Access) and isinstance(node.target, Name):
            declared = self._file.names.get(node.target.name)
            if isinstance(declared, Variable) and isinstance(declared.value, Object):
                return declared.value.by_name.get(node.name, node)
        return node

    def _plain(self, node: Expression, expected: Definition, path: str, *, partial: bool) -> None:
        match expected["$type"]:
            case "ObjectType" | "DiscriminatedObjectType" if isinstance(node, Object):
                self._object(node, expected, path, partial=partial)
            case "ArrayType" if isinstance(node, Array | For):
                self._items(node, self._kind.referred(expected["itemType"]), path)
            case "UnionType":
                self._union(node, expected, path)
            case "StringLiteralType":
                self._one_of(node, [expected["value"]], path, closed=True)
            case _:
                self._scalar(node, expected, path)

    def _items(self, node: Array | For, item: Definition, path: str) -> None:
        if isinstance(node, For):
            body = node.body.body if isinstance(node.body, If) else node.body
            self._value(body, item, f"{path}[]")
            return
        for position, child in enumerate(node.items):
            self._value(child, item, f"{path}[{position}]")

    def _object(
        self, node: Object, expected: Definition, path: str, *, root: bool = False, partial: bool = False
    ) -> None:
        if expected["$type"] == "DiscriminatedObjectType":
            chosen = self._chosen(node, expected, path)
            if chosen is None:
                return
            expected = chosen
        properties: dict[str, Definition] = expected["properties"]
        for entry in node.properties:
            if not isinstance(entry.key, str) or (root and entry.key in _OF_EVERY_RESOURCE):
                continue
            known = properties.get(entry.key)
            if known is None:
                if "additionalProperties" in expected:
                    others = self._kind.referred(expected["additionalProperties"])
                    self._value(entry.value, others, f"{path}.{entry.key}")
                else:
                    self._file.report(entry.at, "BCP037", f"{path}: the property {entry.key!r} is not allowed")
            elif known.get("flags", 0) & READ_ONLY:
                self._file.report(entry.at, "BCP073", f"{path}.{entry.key} is read-only")
            else:
                self._value(entry.value, self._kind.referred(known["type"]), f"{path}.{entry.key}")
        if not partial:
            self._check_required(node, properties, path, root=root)

    def _check_required(self, node: Object, properties: dict[str, Definition], path: str, *, root: bool) -> None:
        for name, known in properties.items():
            flags = known.get("flags", 0)
            needed = flags & REQUIRED and not flags & READ_ONLY and not (root and name in _OF_EVERY_RESOURCE)
            if needed and name not in node.by_name:
                self._file.report(node.at, "BCP035", f"{path}: the property {name!r} is missing")

    def _chosen(self, node: Object, expected: Definition, path: str) -> Definition | None:
        """What the object must look like for the value of its discriminating property."""
        name: str = expected["discriminator"]
        value = node.by_name.get(name)
        literal = value.literal if isinstance(value, Text) else None
        if literal not in expected["elements"]:
            if value is None or literal is not None:
                known = ", ".join(expected["elements"])
                self._file.report(node.at, "BCP035", f"{path}.{name} must be one of {known}")
            return None
        element = self._kind.referred(expected["elements"][literal])
        return {**element, "properties": {**expected["baseProperties"], **element["properties"]}}

    def _union(self, node: Expression, expected: Definition, path: str) -> None:
        elements = [self._kind.referred(element) for element in expected["elements"]]
        values = [element["value"] for element in elements if element["$type"] == "StringLiteralType"]
        self._one_of(node, values, path, closed=all("value" in element for element in elements))

    def _one_of(self, node: Expression, values: list[str], path: str, *, closed: bool) -> None:
        """An open list (not `closed`) admits other values too, but one that nobody knows is a mistake all the same."""
        literal = node.literal if isinstance(node, Text) else None
        if literal is not None and values and literal not in values:
            self._file.report(
                node.at, "BCP036" if closed else "BCP088", f"{path}: {literal!r} is none of {values[:12]}"
            )
        elif literal is None:
            given = kind_of(self._file, node)
            if given not in {None, "string"}:
                self._file.report(node.at, "BCP036", f"{path}: expected string, got {given}")

    def _scalar(self, node: Expression, expected: Definition, path: str) -> None:
        kind = expected["$type"]
        wanted = _SCALARS.get(kind) or {"ArrayType": "array", "ObjectType": "object"}.get(kind)
        given = kind_of(self._file, node)
        if wanted and given and given != wanted:
            self._file.report(node.at, "BCP036", f"{path}: expected {wanted}, got {given}")
        value = getattr(node, "value", None)
        if kind == "IntegerType" and isinstance(value, int) and not isinstance(value, bool):
            least, most = expected.get("minValue", value), expected.get("maxValue", value)
            if not least <= value <= most:
                self._file.report(node.at, "BCP327", f"{path}: {value} is not within {least} to {most}")
        literal = node.literal if isinstance(node, Text) else None
        if kind == "StringType" and literal is not None:
            least, most = expected.get("minLength", 0), expected.get("maxLength", len(literal))
            if not least <= len(literal) <= most:
                self._file.report(node.at, "BCP332", f"{path}: its length is not within {least} to {most}")
