"""A stand-in for Application Insights' ingestion: keeps what exporters send; `status` and `hang` make it ill."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Callable
from typing import Any, Self

from tests.azure_standins.http_server import ConnectionCut, HttpServer, Reply, Request

KEY = "0f1e2d3c-4b5a-4678-9abc-def012345678"


class Collector:
    """`items` are the envelopes it took, `requests` all it was sent; `hang` holds requests until it is cleared."""

    def __init__(self) -> None:
        self.server = HttpServer(self._handle)
        self.items: list[dict[str, Any]] = []
        self.requests: list[Request] = []
        self.status = 200
        self.hang = False
        self._arrived = threading.Condition()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def connection_string(self) -> str:
        """As it is found in the field: capitals, a trailing slash and a trailing semicolon."""
        return f"InstrumentationKey={KEY.upper()};IngestionEndpoint={self.endpoint}/;ApplicationId=a=b;"

    def of(self, base_type: str) -> list[dict[str, Any]]:
        """The data of one kind, e.g. `RequestData`."""
        return [item["data"]["baseData"] for item in self.items if item["data"]["baseType"] == base_type]

    def wait_for(self, base_type: str, count: int, seconds: float = 20) -> list[dict[str, Any]]:
        """The data of one kind, once there are so many."""
        self.wait_until(lambda: len(self.of(base_type)) >= count, seconds)
        return self.of(base_type)

    def wait_until(self, arrived: Callable[[], bool], seconds: float = 20) -> None:
        """Until what has arrived is enough."""
        with self._arrived:
            assert self._arrived.wait_for(arrived, seconds), f"{len(self.items)} items arrived"

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *arguments: object) -> None:
        self.server.__exit__(None, None, None)

    async def _handle(self, request: Request) -> Reply:
        self.requests.append(request)
        while self.hang:
            await asyncio.sleep(0.02)
        if self.status == 0:
            raise ConnectionCut
        body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        items: list[dict[str, Any]] = json.loads(body)
        taken = items if self.status == 200 else []
        with self._arrived:
            self.items.extend(taken)
            self._arrived.notify_all()
        answer = {"itemsReceived": len(items), "itemsAccepted": len(taken), "errors": []}
        return Reply(self.status, json.dumps(answer).encode())
