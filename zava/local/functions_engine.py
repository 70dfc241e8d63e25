"""What runs an app's own registered functions without the Functions host, and what the two ways of it share.

`direct_engine` needs nothing beyond the library `azure-functions`, on every Python. `runtime_engine` drives
`azure-functions-runtime`, the package Azure itself runs from Python 3.13 on: its indexing, annotation checks and
conversions. Both convert through the library's `Datum`, so that an answer does not depend on the engine.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

MODULE = "function_app"


class DevHostError(Exception):
    """The development host cannot start; the message is one sentence that says what is wrong."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts a function: `httpTrigger` or `timerTrigger`, the parameter it fills, and the binding's options."""

    function: str
    kind: str
    parameter: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A request as it crosses from the host to the language worker."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    parameters: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer as it crosses back: a header has one value (the last one set), cookies aside."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Engine(Protocol):
    async def load(self, app_folder: Path) -> list[Trigger]:
        """Import the app in the running loop, once, and return what starts its functions."""
        ...

    async def http(self, trigger: Trigger, call: HttpCall, invocation: str) -> HttpAnswer: ...

    async def timer(self, trigger: Trigger, info: Mapping[str, Any], invocation: str) -> None: ...

    def close(self) -> None: ...


@contextlib.contextmanager
def fresh_import(app_folder: Path) -> Generator[None]:
    """Make the app importable, and neither find nor leave a module of its own top level in this process.

    A `FunctionApp` can be indexed only once, so a second start in one process needs the module anew. Packages below
    the folder stay loaded: their classes and pools belong to the process.
    """
    _forget_modules(app_folder)
    importlib.invalidate_caches()
    sys.path.insert(0, str(app_folder))
    try:
        yield
    finally:
        sys.path.remove(str(app_folder))
        _forget_modules(app_folder)


def _forget_modules(app_folder: Path) -> None:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        is_the_apps_own = file is not None and "." not in name and Path(file).parent == app_folder
        if name == MODULE or (is_the_apps_own and Path(str(file)).stem == name):
            del sys.modules[name]


def trigger_of(function: str, bindings: list[dict[str, Any]]) -> Trigger:
    """The trigger among a function's bindings.

    Raises:
        DevHostError: it is of a kind that this host does not run.
    """
    for binding in bindings:
        if binding["type"] in {"httpTrigger", "timerTrigger"}:
            return Trigger(function, binding["type"], binding["name"], binding)
    kinds = ", ".join(binding["type"] for binding in bindings)
    raise DevHostError(f"The development host runs HTTP and timer functions only, and {function} has {kinds}.")


def http_datum(datum: Any, call: HttpCall) -> Any:
    """The call in the form the library decodes; `datum` is the engine's `Datum` class."""

    def strings(values: Mapping[str, str]) -> dict[str, Any]:
        return {name: datum(value, "string") for name, value in values.items()}

    fields = {
        "method": datum(call.method, "string"),
        "url": datum(call.url, "string"),
        "headers": strings(call.headers),
        "query": strings(call.query),
        "params": strings(call.parameters),
        "body": datum(call.body, "bytes"),
    }
    return datum(fields, "http")


def answer_of(returned: Any) -> HttpAnswer:
    """What the host makes of the `Datum` that a function's return value was encoded into."""
    if returned.type != "http":
        return HttpAnswer(200, (("content-type", "text/plain; charset=utf-8"),), str(returned.value).encode())
    value = returned.value
    headers = {name.lower(): header.value for name, header in value["headers"].items()}
    headers.pop("content-length", None)
    cookies = [("set-cookie", crumb.OutputString()) for jar in value["cookies"] or () for crumb in jar.values()]
    return HttpAnswer(int(value["status_code"].value), (*headers.items(), *cookies), value["body"].value)
