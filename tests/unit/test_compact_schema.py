"""The schemas of tools lose what costs tokens and says nothing, and keep what validates."""

from __future__ import annotations

from typing import Annotated

import jsonschema
import pytest
from pydantic import BaseModel, Field

from zava.protocol import compact_schema


class Part(BaseModel):
    title: str
    size: Annotated[int | None, Field(description="Pieces.")] = None


class Whole(BaseModel):
    parts: list[Part]
    kind: Annotated[str, Field(json_schema_extra={"default": {"title": "kept"}})] = "plain"
    either: int | str = 1


def test_titles_go_and_a_property_of_that_name_stays() -> None:
    assert compact_schema.without_titles(Part.model_json_schema()) == {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "size": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None, "description": "Pieces."},
        },
        "required": ["title"],
    }


def test_an_answer_has_no_null_and_everything_else_is_kept() -> None:
    assert compact_schema.of_answers(Whole.model_json_schema()) == {
        "type": "object",
        "$defs": {
            "Part": {
                "type": "object",
                "properties": {
                    "title": {"type": "string"},
                    "size": {"type": "integer", "description": "Pieces."},
                },
                "required": ["title"],
            }
        },
        "properties": {
            "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
            "kind": {"type": "string", "default": {"title": "kept"}},
            "either": {"anyOf": [{"type": "integer"}, {"type": "string"}], "default": 1},
        },
        "required": ["parts"],
    }


def test_the_schema_accepts_the_answers_that_are_sent_and_refuses_others() -> None:
    schema = compact_schema.of_answers(Whole.model_json_schema())
    whole = Whole(parts=[Part(title="a"), Part(title="b", size=2)])
    jsonschema.validate(whole.model_dump(mode="json", exclude_none=True), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"parts": [{"title": "a", "size": "two"}]}, schema)
