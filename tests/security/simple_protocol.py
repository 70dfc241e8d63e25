"""PostgreSQL's simple query protocol with its rows, on a connection of asyncpg, which only offers it without them.

The product never sends tenants' SQL this way. The tests do, because here one message may hold several statements, and a
transaction that the app opened can be ended by what was meant to run inside it.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SIMPLE-QUERY
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from typing import Any

from asyncpg.pool import PoolConnectionProxy

MAX_ROWS = 1_000


@dataclass(slots=True)
class SimpleAnswer:
    """What the server sent until it was ready again: the first rows, errors and messages with all their fields."""

    columns: list[str] = field(default_factory=list[str])
    rows: list[tuple[str | None, ...]] = field(default_factory=list[tuple[str | None, ...]])
    messages: list[str] = field(default_factory=list[str])
    error: str = ""


async def simple_query(connection: PoolConnectionProxy, sql: str) -> SimpleAnswer:
    """Send `sql` as one message and take in all that comes back, on the connection's own transport.

    Raises:
        ConnectionError: the session ended meanwhile; the message is what the server said last.
    """
    inner: Any = connection._con
    listener = _Listener(inner._transport, inner._protocol)
    try:
        inner._transport.set_protocol(listener)
        listener.send(b"Q", sql.encode() + b"\0")
        return await listener.answered
    except asyncio.CancelledError:
        inner._transport.abort()
        raise
    finally:
        inner._transport.set_protocol(inner._protocol)


class _Listener(asyncio.Protocol):
    def __init__(self, transport: Any, asyncpg_protocol: Any) -> None:
        self._transport = transport
        self._asyncpg_protocol = asyncpg_protocol
        self._received = bytearray()
        self._answer = SimpleAnswer()
        self.answered: asyncio.Future[SimpleAnswer] = asyncio.get_running_loop().create_future()

    def send(self, kind: bytes, body: bytes) -> None:
        self._transport.write(kind + struct.pack("!i", len(body) + 4) + body)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= 5:
            end = 1 + struct.unpack_from("!i", self._received, 1)[0]
            if len(self._received) < end:
                return
            kind, body = chr(self._received[0]), bytes(self._received[5:end])
            del self._received[:end]
            self._take(kind, body)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answered.done():
            self.answered.set_exception(ConnectionResetError(self._answer.error or "the session ended"))
        self._asyncpg_protocol.connection_lost(exc)

    def _take(self, kind: str, body: bytes) -> None:
        if kind == "Z" and not self.answered.done():
            self.answered.set_result(self._answer)
        elif kind == "T":
            self._answer.columns += _column_names(body)
        elif kind in "Dd" and len(self._answer.rows) < MAX_ROWS:  # d: a line of COPY TO STDOUT
            self._answer.rows.append(_row(body) if kind == "D" else (body.decode(errors="replace"),))
        elif kind == "G":  # COPY FROM STDIN waits for lines
            self.send(b"f", b"no lines\0")
        elif kind == "E":
            self._answer.error += _fields(body)
        elif kind == "N":
            self._answer.messages.append(_fields(body))
        elif kind == "A":
            self._answer.messages.append(body[4:].decode(errors="replace"))


def _column_names(body: bytes) -> list[str]:
    names: list[str] = []
    position = 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        end = body.index(b"\0", position)
        names.append(body[position:end].decode(errors="replace"))
        position = end + 19
    return names


def _row(body: bytes) -> tuple[str | None, ...]:
    cells: list[str | None] = []
    position = 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        (length,) = struct.unpack_from("!i", body, position)
        position += 4
        cells.append(None if length < 0 else body[position : position + length].decode(errors="replace"))
        position += max(length, 0)
    return tuple(cells)


def _fields(body: bytes) -> str:
    """Severity, SQLSTATE, message, detail, hint and context; not the place in the server's source."""
    parts = [part.decode(errors="replace") for part in body.split(b"\0") if part]
    return " | ".join(part[1:] for part in parts if part[0] in "SCMDHW")
