"""Bicep text to declarations."""

from __future__ import annotations

from functools import cache

from tests.infra.bicep.expressions import ExpressionReader
from tests.infra.bicep.lexer import tokens
from tests.infra.bicep.syntax import (
    BicepError,
    Call,
    Declaration,
    DeclaredType,
    Expression,
    Module,
    Output,
    Parameter,
    Resource,
    Setting,
    Variable,
)

_KINDS = {"string", "int", "bool", "object", "array"}


@cache  # a project is read many times over, mostly unchanged
def parse(source: str) -> tuple[Declaration, ...]:
    """Raises BicepError where the text is no Bicep, or Bicep that `infra/` does not use."""
    return tuple(_FileReader(tokens(source)).declarations())


class _FileReader(ExpressionReader):
    def declarations(self) -> list[Declaration]:
        found: list[Declaration] = []
        self.skip_lines()
        while not self.stands("end"):
            found.append(self._declaration())
            if not self.stands("end"):
                self.take("newline")
            self.skip_lines()
        return found

    def nested_resource(self) -> Resource:
        found = self._declaration()
        if not isinstance(found, Resource):
            raise BicepError("only resources stand within a resource", found.at)
        return found

    def _declaration(self) -> Declaration:
        at = self.next.at
        decorators = self._decorators()
        match self.word():
            case "targetScope":
                self.take("=")
                return Setting("targetScope", self.expression(), at)
            case "metadata":
                return Setting(self.word(), self._value(), at)
            case "param":
                name, declared = self.word(), self._type()
                default = self._value() if self.stands("=") else None
                return Parameter(name, declared, default, decorators, at)
            case "var":
                return Variable(self.word(), self._value(), at)
            case "output":
                return Output(self.word(), self._type(), self._value(), at)
            case "resource":
                name, kind = self.word(), self._plain_text()
                existing = self.accept("word", "existing")
                return Resource(name, kind, existing, self._body(), decorators, at)
            case "module":
                return Module(self.word(), self._plain_text(), self._body(), at)
            case other:
                raise BicepError(f"declaration {other!r} is not known here", at)

    def _decorators(self) -> tuple[Call, ...]:
        found: list[Call] = []
        while self.accept("@"):
            decorator = self.expression()
            if not isinstance(decorator, Call):
                raise BicepError("a decorator is a call", decorator.at)
            found.append(decorator)
            self.take("newline")
        return tuple(found)

    def _value(self) -> Expression:
        self.take("=")
        return self.expression()

    def _body(self) -> Expression:
        self.take("=")
        if self.stands("word", "if"):
            return self.condition()
        return self.array() if self.stands("[") else self.object()

    def _plain_text(self) -> str:
        text = self.text()
        if text.literal is None:
            raise BicepError("a type or path is a plain string", text.at)
        return text.literal

    def _type(self) -> DeclaredType:
        at, kind = self.next.at, self.word()
        if kind not in _KINDS:
            raise BicepError(f"type {kind!r} is not known here", at)
        while self.accept("["):
            self.take("]")
            kind = "array"
        return DeclaredType(kind, optional=self.accept("?"))
