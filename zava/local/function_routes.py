"""Which HTTP function answers a request: ASP.NET's route templates as the Functions host uses them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from zava.local.functions_engine import DevHostError

_PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?P<constraints>(?::[^{}:?]+)*)(?P<optional>\?)?\}")
_CONSTRAINTS = {
    "int": r"-?\d{1,10}",
    "long": r"-?\d{1,19}",
    "bool": r"(?i:true|false)",
    "guid": r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}",
    "alpha": r"[A-Za-z]*",
}
_LENGTH = re.compile(r"(?P<bound>min|max)length\((?P<number>\d+)\)")


@dataclass(frozen=True, slots=True)
class Route:
    """One function's route. No methods means all of them."""

    function: str
    methods: frozenset[str]
    pattern: re.Pattern[str]
    constraints: tuple[tuple[str, re.Pattern[str]], ...]

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The route parameters (an optional one that is absent is left out), or None if another function answers."""
        found = self.pattern.fullmatch(path) if not self.methods or method in self.methods else None
        if found is None:
            return None
        values = {name: value for name, value in found.groupdict().items() if value}
        fits = all(rule.fullmatch(values[name]) for name, rule in self.constraints if name in values)
        return values if fits else None


def route_of(function: str, template: str, methods: Sequence[str]) -> Route:
    """Read a route template, its prefix included: literals, `{x}`, `{x?}`, `{*x}`, `{x:int}`. Letter case is ignored.

    Raises:
        DevHostError: the template is malformed or uses what this host does not know.
    """
    pattern, constraints = "", list[tuple[str, re.Pattern[str]]]()
    segments = [segment for segment in template.removeprefix("~").split("/") if segment]
    for number, segment in enumerate(segments):
        parameter = _PARAMETER.fullmatch(segment)
        if parameter is None:
            if re.search(r"[{}*?]", segment):
                raise DevHostError(f"The route {template!r} of {function} has an unsupported part: {segment!r}.")
            pattern += "/" + re.escape(segment)
            continue
        name, open_ended = parameter["name"], bool(parameter["rest"] or parameter["optional"])
        if open_ended and number < len(segments) - 1:
            raise DevHostError(f"The route {template!r} of {function} has {segment!r} before its end.")
        value = f"(?P<{name}>{'.*' if parameter['rest'] else '[^/]+'})"
        pattern += f"(?:/{value})?" if open_ended else f"/{value}"
        for constraint in parameter["constraints"].split(":")[1:]:
            constraints.append((name, _rule(function, template, constraint)))
    return Route(
        function,
        frozenset(method.upper() for method in methods),
        re.compile(f"{pattern}/?", re.IGNORECASE | re.DOTALL),
        tuple(constraints),
    )


def _rule(function: str, template: str, constraint: str) -> re.Pattern[str]:
    if length := _LENGTH.fullmatch(constraint):
        low, high = ("", length["number"]) if length["bound"] == "max" else (length["number"], "")
        return re.compile(f".{{{low or 0},{high}}}", re.DOTALL)
    if constraint in _CONSTRAINTS:
        return re.compile(_CONSTRAINTS[constraint])
    raise DevHostError(f"The route {template!r} of {function} has an unsupported constraint: {constraint!r}.")


@dataclass(frozen=True, slots=True)
class Router:
    """All routes; the first that fits answers, in the order of the functions' names, as on the host."""

    routes: tuple[Route, ...]

    @classmethod
    def of(cls, routes: Sequence[Route]) -> Router:
        return cls(tuple(sorted(routes, key=lambda route: route.function.lower())))

    def find(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        """The function that answers and its route parameters. None: the host's 404, also for a method not listed."""
        for route in self.routes:
            if (parameters := route.match(method.upper(), path)) is not None:
                return route.function, parameters
        return None
