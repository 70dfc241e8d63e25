"""The engine that hands an app to Microsoft's own `azure-functions-runtime` (Python 3.13 or newer)."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from zava.local.functions_engine import (
    DevHostError,
    HttpAnswer,
    HttpCall,
    Trigger,
    answer_of,
    http_datum,
    trigger_of,
)


class _Messages:
    """Stands in for the worker's protobuf module: `_Messages().Anything(a=1)` is an object with an attribute `a`."""

    def __getattr__(self, name: str) -> type[SimpleNamespace]:
        constants = {"Failure": 0, "Success": 1, "undefined": 0, "out": 1, "inout": 2}
        message = type(name, (SimpleNamespace,), constants)
        setattr(self, name, message)  # one class a name: the runtime compares them
        return message


class RuntimeEngine:
    """Indexing, annotation checks and conversions are the runtime's; calls take the entry its next worker takes."""

    def __init__(self) -> None:
        self._runtime: Any = importlib.import_module("azure_functions_runtime")
        self._ids: dict[str, str] = {}

    async def load(self, app_folder: Path) -> list[Trigger]:
        self._runtime.start_threadpool_executor()
        start = SimpleNamespace(
            properties={"protos": _Messages(), "host": "127.0.0.1"},
            request=SimpleNamespace(
                worker_init_request=SimpleNamespace(capabilities={}, function_app_directory=os.fspath(app_folder))
            ),
        )
        started = await self._runtime.worker_init_request(start)
        if started.result.status != 1:
            raise DevHostError(f"Microsoft's runtime refuses the app: {started.result.exception.message}.")
        if "HttpUri" in started.capabilities:
            raise DevHostError("The development host knows no HTTP streaming (azurefunctions-extensions-http-*).")
        indexed = (await self._runtime.functions_metadata_request(start)).function_metadata_results or ()
        self._ids = {function.name: function.function_id for function in indexed}
        return [trigger_of(item.name, [json.loads(raw) for raw in item.raw_bindings]) for item in indexed]

    async def http(self, trigger: Trigger, call: HttpCall, invocation: str) -> HttpAnswer:
        return answer_of(await self._call(trigger, http_datum(self._datum(), call), invocation))

    async def timer(self, trigger: Trigger, info: Mapping[str, Any], invocation: str) -> None:
        await self._call(trigger, self._datum()(json.dumps(info), "json"), invocation)

    def close(self) -> None:
        self._runtime.stop_threadpool_executor()

    def _datum(self) -> Any:
        return importlib.import_module("azure_functions_runtime.bindings.datumdef").Datum

    async def _call(self, trigger: Trigger, datum: Any, invocation: str) -> Any:
        native: Any = importlib.import_module("azure_functions_runtime.native_invocation")
        function, inputs = self._ids[trigger.function], [(trigger.parameter, datum)]
        succeeded, returned, _, error, trace = await native.invocation_request_native(invocation, function, inputs, {})
        if not succeeded:
            raise RuntimeError(f"{error}\n{trace}")
        return returned
