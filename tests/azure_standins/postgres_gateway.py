"""PostgreSQL as Azure serves it, under its host name and with TLS only, in front of the tests' own server.

The embedded server is built without TLS, so this ends it, as Azure's own gateway does; what is inside passes unchanged.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from tests import network_guard

HOST = "zavadb.postgres.database.azure.com"
_SSL_REQUEST = struct.pack("!II", 8, 80877103)


class PostgresGateway:
    """Attributes:
    speaks_tls: cleared, the gateway says it has no TLS.
    asked_for: host names of the TLS connections (SNI).
    port, port_behind: where it listens, and where what comes in goes to.
    """

    def __init__(self, port_behind: int, *, certificate_for: str = HOST) -> None:
        self.speaks_tls = True
        self.port = 0
        self.asked_for: list[str | None] = []
        self.port_behind = port_behind
        self._authority = trustme.CA()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(certificate_for).configure_cert(self._tls)
        self._tls.sni_callback = lambda _socket, name, _context: self.asked_for.append(name)
        self._connections: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncGenerator[PostgresGateway]:
        """Serve, with this machine trusting the certificate, while the block runs."""
        trusted = folder / "postgres-ca.pem"
        self._authority.cert_pem.write_to_path(trusted)
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        network_guard.route(HOST, self.port)
        try:
            yield self
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                if await reader.readexactly(len(_SSL_REQUEST)) != _SSL_REQUEST:
                    return  # a start-up packet without TLS: Azure ends the connection, too
                writer.write(b"S" if self.speaks_tls else b"N")
                await writer.drain()
                await writer.start_tls(self._tls)
                behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self.port_behind)
                pipes = [
                    asyncio.ensure_future(_pipe(reader, behind_writer)),
                    asyncio.ensure_future(_pipe(behind_reader, writer)),
                ]
                try:
                    await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    behind_writer.transport.abort()
                    for pipe in pipes:
                        pipe.cancel()
                    await asyncio.gather(*pipes, return_exceptions=True)
        finally:
            self._connections.discard(task)
            writer.transport.abort()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
