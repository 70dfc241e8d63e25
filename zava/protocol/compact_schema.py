"""Takes out of a JSON Schema what a model pays for and learns nothing from."""

from __future__ import annotations

from typing import Any, cast

_VALUES = frozenset({"default", "const", "enum", "examples"})
_NOTHING = {"type": "null"}


def without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without `title`, which repeats the name it stands under."""
    return {
        key: _inside(value) if key not in _VALUES else value
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }


def of_answers(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an answer: no titles, and no `null`, since an answer leaves out what it does not have."""
    return _without_null(without_titles(schema))


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return without_titles(cast("dict[str, Any]", value))
    return [_inside(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


def _without_null(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_null(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    schema = cast("dict[str, Any]", schema)
    match schema:
        case {"anyOf": [{**only}, other], "default": None} if other == _NOTHING:
            rest = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
            schema = only | rest
        case _:
            pass
    return {key: _without_null(value) for key, value in schema.items()}


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without `$defs`: each definition stands where it is used, with the names and types of its properties.

    Left out are its docstring and what is required of it. Only for definitions that do not hold themselves.
    """
    definitions = cast("dict[str, Any]", schema.get("$defs", {}))

    def replaced(node: Any) -> Any:
        if isinstance(node, list):
            return [replaced(each) for each in cast("list[Any]", node)]
        if not isinstance(node, dict):
            return node
        node = cast("dict[str, Any]", node)
        if "$ref" in node:
            used = cast("dict[str, Any]", replaced(definitions[node["$ref"].rpartition("/")[2]]))
            return {key: value for key, value in used.items() if key not in {"description", "required"}}
        return {key: replaced(value) for key, value in node.items() if key != "$defs"}

    return replaced(schema)
