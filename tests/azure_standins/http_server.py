"""A small HTTP server in a thread of its own, whose answers may be as broken as a test needs them to be."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """`cut`: the connection ends after half of the body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut: bool = False


class ConnectionCut(Exception):  # noqa: N818  (not a fault of the stand-in)
    """Raised by a handler: the connection ends without an answer."""


class HttpServer:
    """Serves HTTP/1.1 with kept connections while the `with` block runs.

    Args:
        handle: answers a request, on the server's own event loop.
        host: the name in the certificate; without one there is no TLS.
    """

    def __init__(self, handle: Callable[[Request], Awaitable[Reply]], host: str | None = None) -> None:
        self.host = host
        self.port = 0
        self._handle = handle
        self._authority = trustme.CA() if host else None
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._listening = threading.Event()

    def trust_file(self, folder: Path) -> Path:
        """A file of the certificates a client must trust."""
        assert self._authority is not None
        file = folder / f"{self.host}.pem"
        file.write_bytes(self._authority.cert_pem.bytes())
        return file

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def drop_connections(self) -> None:
        """End every open connection, as a service does with idle ones, without a word."""
        done = threading.Event()

        def drop() -> None:
            for task in self._connections:
                task.cancel()
            self._loop.call_later(0.02, done.set)

        self._loop.call_soon_threadsafe(drop)
        done.wait(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        tls: ssl.SSLContext | None = None
        if self._authority is not None and self.host is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._authority.issue_cert(self.host).configure_cert(tls)
        server = self._loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=tls))
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while (request := await _read(reader)) is not None:
                reply = await self._handle(request)
                writer.write(_head(reply))
                writer.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
                await writer.drain()
                if reply.cut:
                    break
        except (ConnectionCut, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readline()
    if not head:
        return None
    method, path, _ = head.decode().split(" ", 2)
    headers: dict[str, str] = {}
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode().partition(":")
        headers[name.strip().lower()] = value.strip()
    return Request(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))


def _head(reply: Reply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", f"Content-Length: {len(reply.body)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    return "\r\n".join([*lines, "Content-Type: application/json", "", ""]).encode()
