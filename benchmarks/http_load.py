"""Clients that post one request again and again over kept connections, with as little work of their own as can be."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Load:
    """`p95` in seconds."""

    calls_per_second: float
    p95: float


class Client:
    """One kept connection to a server on this machine. The request is written as it is, again and again."""

    def __init__(self, port: int, headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
        self._port = port
        content = json.dumps(body).encode()
        lines = [f"{name}: {value}" for name, value in headers.items()]
        head = ["POST /mcp HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Length: {len(content)}", *lines, "", ""]
        self._request = "\r\n".join(head).encode() + content

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def post(self) -> bytes:
        """The answer's body. Raises ConnectionError when it is not a 200."""
        self._writer.write(self._request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b"transfer-encoding: chunked" in head:
            body = await self._reader.readuntil(b"\r\n0\r\n\r\n")
        else:
            body = await self._reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        if not head.startswith(b"http/1.1 200"):
            raise ConnectionError(f"{head[:80]!r}: {body[:500]!r}")
        return body


async def load(clients: Sequence[Client], seconds: float) -> Load:
    """All of them at once, each its next request when the last is answered."""
    times: list[float] = []
    until = time.perf_counter() + seconds

    async def calls(client: Client) -> None:
        while (started := time.perf_counter()) < until:
            await client.post()
            times.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*map(calls, clients))
    taken = time.perf_counter() - started
    return Load(len(times) / taken, statistics.quantiles(times, n=20)[-1])
