"""The engine that calls an app's functions itself; the library `azure-functions` does the conversions."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.functions as func
from azure.functions import meta

from zava.local.functions_engine import (
    MODULE,
    DevHostError,
    HttpAnswer,
    HttpCall,
    Trigger,
    answer_of,
    http_datum,
    trigger_of,
)


@dataclass(frozen=True, slots=True)
class _Context:
    """What a function that asks for `context` gets; the names are those of `azure.functions.Context`."""

    invocation_id: str
    function_name: str
    function_directory: str
    thread_local_storage: threading.local = field(default_factory=threading.local)
    trace_context: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(trace_parent="", trace_state="", attributes={})
    )
    retry_context: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(retry_count=0, max_retry_count=0, exception=None)
    )


class DirectEngine:
    def __init__(self) -> None:
        self._functions: dict[str, Any] = {}
        self._folder = ""

    async def load(self, app_folder: Path) -> list[Trigger]:
        module = importlib.import_module(MODULE)
        apps = {id(value): value for value in vars(module).values() if isinstance(value, func.FunctionRegister)}
        if len(apps) != 1:
            raise DevHostError(f"{MODULE}.py must hold exactly one function app, and it holds {len(apps)}.")
        self._folder = str(app_folder)
        functions = {str(item.get_function_name()): item for item in next(iter(apps.values())).get_functions()}
        self._functions = {name: item.get_user_function() for name, item in functions.items()}
        return [
            trigger_of(name, [json.loads(raw) for raw in item.get_raw_bindings()]) for name, item in functions.items()
        ]

    async def http(self, trigger: Trigger, call: HttpCall, invocation: str) -> HttpAnswer:
        returned = await self._call(trigger, http_datum(meta.Datum, call), invocation)
        return answer_of(_converter("http").encode(returned, expected_type=None))

    async def timer(self, trigger: Trigger, info: Mapping[str, Any], invocation: str) -> None:
        if await self._call(trigger, meta.Datum(json.dumps(info), "json"), invocation) is not None:
            raise TypeError(f"{trigger.function} has no $return binding and returned a value")

    def close(self) -> None:
        self._functions.clear()

    async def _call(self, trigger: Trigger, datum: Any, invocation: str) -> Any:
        function = self._functions[trigger.function]
        arguments = {trigger.parameter: _converter(trigger.kind).decode(datum, trigger_metadata={})}
        if "context" in inspect.signature(function).parameters:
            arguments["context"] = _Context(invocation, trigger.function, self._folder)
        if inspect.iscoroutinefunction(function):
            return await function(**arguments)
        return await asyncio.to_thread(function, **arguments)


def _converter(binding: str) -> Any:
    registry: Any = func.get_binding_registry()
    return registry.get(binding)
