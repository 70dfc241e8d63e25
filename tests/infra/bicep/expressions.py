"""Tokens to expressions."""

from __future__ import annotations

from typing import NoReturn

from tests.infra.bicep.lexer import Token
from tests.infra.bicep.syntax import (
    Access,
    Array,
    BicepError,
    Binary,
    Call,
    Conditional,
    Expression,
    For,
    If,
    Index,
    Literal,
    Name,
    Object,
    Property,
    Resource,
    Text,
    Unary,
)

_LEVELS = (("??",), ("||",), ("&&",), ("==", "!=", "=~", "!~"), ("<", "<=", ">", ">="), ("+", "-"), ("*", "/", "%"))
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


class ExpressionReader:
    """Reads on from a position in a list of tokens; every method leaves it after what it has read."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._position = 0

    # Tokens.

    @property
    def next(self) -> Token:
        return self._tokens[min(self._position, len(self._tokens) - 1)]

    def ahead(self, count: int) -> Token:
        return self._tokens[min(self._position + count, len(self._tokens) - 1)]

    def stands(self, kind: str, value: str | None = None) -> bool:
        return self.next.kind == kind and (value is None or value == self.next.value)

    def take(self, kind: str, value: str | None = None) -> Token:
        if not self.stands(kind, value):
            self.refuse(f"expected {value or kind}")
        token = self.next
        self._position += 1
        return token

    def accept(self, kind: str, value: str | None = None) -> bool:
        if self.stands(kind, value):
            self._position += 1
            return True
        return False

    def skip_lines(self) -> None:
        while self.accept("newline"):
            pass

    def refuse(self, message: str) -> NoReturn:
        found = self.next.value if self.next.kind in {"word", "number"} else self.next.kind
        raise BicepError(f"{message}, found {found}", self.next.at)

    def word(self) -> str:
        return str(self.take("word").value)

    def separator(self, closing: str) -> None:
        """Between two entries: a comma, a new line, or nothing before the end."""
        if not (self.stands(closing) or self.accept(",") or self.stands("newline")):
            self.refuse(f"expected a new line, a comma or {closing}")
        self.skip_lines()

    # Expressions, loosest binding first.

    def expression(self) -> Expression:
        condition = self._binary(0)
        before = self._position
        self.skip_lines()
        if not self.accept("?"):
            self._position = before
            return condition
        self.skip_lines()
        then = self.expression()
        self.skip_lines()
        self.take(":")
        self.skip_lines()
        return Conditional(condition, then, self.expression(), condition.at)

    def _binary(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self.next.kind in _LEVELS[level]:
            operator = self.next.kind
            self.take(operator)
            self.skip_lines()
            left = Binary(operator, left, self._binary(level + 1), left.at)
        return left

    def _unary(self) -> Expression:
        at = self.next.at
        for operator in ("!", "-"):
            if self.accept(operator):
                return Unary(operator, self._unary(), at)
        return self._postfix()

    def _postfix(self) -> Expression:
        left = self._primary()
        while True:
            if self.accept(".") or self.accept(".?"):
                left = self._member(left)
            elif self.accept("::"):
                left = Access(left, self.word(), nested=True, at=left.at)
            elif self.accept("!"):
                left = Unary("x!", left, left.at)
            elif self.accept("["):
                left = Index(left, self.expression(), left.at)
                self.take("]")
            else:
                return left

    def _member(self, target: Expression) -> Expression:
        name = self.word()
        if self.stands("("):
            return Call(target, name, self._arguments(), target.at)
        return Access(target, name, nested=False, at=target.at)

    def _arguments(self) -> tuple[Expression, ...]:
        self.take("(")
        self.skip_lines()
        found: list[Expression] = []
        while not self.accept(")"):
            found.append(self.expression())
            self.separator(")")
        return tuple(found)

    def _primary(self) -> Expression:
        token = self.next
        if token.kind == "{":
            return self.object()
        if token.kind == "[":
            return self.array()
        if token.kind == "text":
            return self.text()
        if self.accept("number"):
            return Literal(token.value, token.at)
        if self.accept("("):
            self.skip_lines()
            inside = self.expression()
            self.skip_lines()
            self.take(")")
            return Unary("(", inside, token.at)
        name = self.word() if token.kind == "word" else self.refuse("expected an expression")
        if name in _WORDS:
            return Literal(_WORDS[name], token.at)
        return Call(None, name, self._arguments(), token.at) if self.stands("(") else Name(name, token.at)

    def text(self) -> Text:
        token = self.take("text")
        parts: list[str | Expression] = []
        for part in token.value:
            if isinstance(part, str):
                parts.append(part)
                continue
            inner = ExpressionReader(part)
            parts.append(inner.expression())
            inner.take("end")
        return Text(tuple(parts), token.at)

    def array(self) -> Array | For:
        at = self.take("[").at
        self.skip_lines()
        if self.stands("word", "for") and self.ahead(1).kind in {"word", "("}:
            return self._loop(at)
        items: list[Expression] = []
        while not self.accept("]"):
            items.append(self.expression())
            self.separator("]")
        return Array(tuple(items), at)

    def _loop(self, at: int) -> For:
        self.take("word", "for")
        if self.accept("("):
            first = self.word()
            self.take(",")
            variables = (first, self.word())
            self.take(")")
        else:
            variables = (self.word(),)
        self.take("word", "in")
        source = self.expression()
        self.take(":")
        self.skip_lines()
        body = self.condition() if self.stands("word", "if") else self.expression()
        self.skip_lines()
        self.take("]")
        return For(variables, source, body, at)

    def condition(self) -> If:
        at = self.take("word", "if").at
        self.take("(")
        self.skip_lines()
        test = self.expression()
        self.skip_lines()
        self.take(")")
        self.skip_lines()
        return If(test, self.object(), at)

    def object(self) -> Object:
        at = self.take("{").at
        self.skip_lines()
        entries: list[Property] = []
        resources: list[Resource] = []
        while not self.accept("}"):
            if self.stands("@") or (self.stands("word", "resource") and self.ahead(1).kind == "word"):
                resources.append(self.nested_resource())
            else:
                entries.append(self._entry())
            self.separator("}")
        seen: set[str] = set()
        for entry in entries:
            if isinstance(entry.key, str) and entry.key in seen:
                raise BicepError(f"duplicate property {entry.key!r}", entry.at)
            seen.add(str(entry.key))
        return Object(tuple(entries), tuple(resources), at)

    def _entry(self) -> Property:
        at = self.next.at
        key: str | Text = self.text() if self.stands("text") else self.word()
        if isinstance(key, Text) and key.literal is not None:
            key = key.literal
        self.take(":")
        self.skip_lines()
        return Property(key, self.expression(), at)

    def nested_resource(self) -> Resource:
        """Resources stand in objects, and objects in expressions; declarations are read by the class above this one."""
        raise NotImplementedError
