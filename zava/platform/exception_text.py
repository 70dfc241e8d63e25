"""What may be told of an exception: what it is and where it happened, and no more of its words than is safe.

A driver's message quotes rows ("Key (email)=(ada@...) already exists"), a validator's the value it refused, and ours
may name what the caller wrote. So those are told by their codes; every other message is masked.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from zava.errors import MCPError
from zava.platform.masking import mask

_MOST_CHARACTERS = 500
_MOST_CAUSES = 5
_MOST_FRAMES = 40


@dataclass(frozen=True, slots=True)
class Frame:
    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class ExceptionText:
    """One exception of a chain. Frames are outermost first, as in a traceback."""

    kind: str
    message: str
    frames: tuple[Frame, ...]

    def __str__(self) -> str:
        lines = [f'  File "{frame.file}", line {frame.line}, in {frame.function}' for frame in self.frames]
        head = ["Traceback (most recent call last):"] if lines else []
        return "\n".join([*head, *lines, f"{self.kind}: {self.message}" if self.message else self.kind])


def describe(problem: BaseException) -> tuple[ExceptionText, ...]:
    """The exception and what it came from, the last one first."""
    described: list[ExceptionText] = []
    current: BaseException | None = problem
    while current is not None and len(described) < _MOST_CAUSES:
        described.append(ExceptionText(_kind(current), _message(current), _frames(current)))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return tuple(described)


def as_text(described: tuple[ExceptionText, ...]) -> str:
    """The chain as a traceback reads: the first cause at the top."""
    return "\nwhich led to\n".join(str(one) for one in reversed(described))


def _kind(problem: BaseException) -> str:
    kind = type(problem)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _message(problem: BaseException) -> str:
    if isinstance(problem, MCPError):
        return problem.code
    if isinstance(sqlstate := getattr(problem, "sqlstate", None), str):
        return f"SQLSTATE {sqlstate}"
    errors = getattr(problem, "errors", None)
    if callable(errors) and hasattr(problem, "error_count"):  # pydantic's
        found = cast("Callable[..., list[dict[str, Any]]]", errors)(include_input=False, include_url=False)
        return ", ".join(str(error.get("type")) for error in found)[:_MOST_CHARACTERS]
    try:
        # A KeyError's text is the key as Python writes it, whose backslashes would hide a secret from the mask.
        text = str(problem.args[0] if isinstance(problem, KeyError) and problem.args else problem)
    except Exception:  # noqa: BLE001  (an exception that cannot even be shown)
        return ""
    return mask(text[: 4 * _MOST_CHARACTERS])[:_MOST_CHARACTERS]


def _frames(problem: BaseException) -> tuple[Frame, ...]:
    summary = traceback.extract_tb(problem.__traceback__, limit=-_MOST_FRAMES)
    return tuple(Frame(frame.filename, frame.lineno or 0, frame.name) for frame in summary)
