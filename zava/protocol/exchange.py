"""One request's way back through the kernel: notifications are kept for the answer, questions are impossible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.message import MessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp.types import ProgressToken, RequestId
from pydantic_core import to_json

# A tool that reports progress in a tight loop must not fill the memory of everybody's worker.
_MOST_NOTIFICATIONS = 1_000


@dataclass(slots=True)
class Exchange:
    """The kernel's `DispatchContext` for one stateless HTTP request (`mcp.shared.dispatcher`)."""

    request_id: RequestId
    transport: TransportContext
    message_metadata: MessageMetadata
    progress_token: ProgressToken | None
    notifications: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def can_send_request(self) -> bool:
        return False

    @property
    def cancel_requested(self) -> anyio.Event:
        """Never set: a client cancels by closing its connection, which a serverless host does not pass on."""
        return anyio.Event()

    async def send_raw_request(
        self,
        method: str,
        params: Mapping[str, Any] | None,  # noqa: ARG002
        opts: CallOptions | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        raise NoBackChannelError(method)

    async def notify(
        self,
        method: str,
        params: Mapping[str, Any] | None,
        opts: CallOptions | None = None,  # noqa: ARG002
    ) -> None:
        if len(self.notifications) < _MOST_NOTIFICATIONS:
            self.notifications.append({"jsonrpc": "2.0", "method": method, "params": dict(params or {})})

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        if self.progress_token is None:
            return
        params = {"progressToken": self.progress_token, "progress": progress, "total": total, "message": message}
        await self.notify("notifications/progress", {key: value for key, value in params.items() if value is not None})


def event_stream(*messages: Mapping[str, Any]) -> bytes:
    """A finished stream of JSON-RPC messages (HTML standard, "Server-sent events")."""
    return b"".join(b"event: message\r\ndata: " + message_json(message) + b"\r\n\r\n" for message in messages)


def message_json(message: Mapping[str, Any]) -> bytes:
    """JSON on one line; NaN and Infinity, which JSON lacks, become null."""
    return to_json(message, inf_nan_mode="null")
