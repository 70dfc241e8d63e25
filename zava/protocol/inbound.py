"""From an HTTP request to one JSON-RPC call of either protocol era, or to the reason why not.

Specifications: MCP 2026-07-28 and 2025-11-25, "Transports"; JSON-RPC 2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.shared.dispatcher import Outbound
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    InboundLadderRejection,
    InboundModernRoute,
    classify_inbound_request,
    unsupported_protocol_version_rejection,
    validate_mcp_param_headers,
    x_mcp_header_map,
)
from mcp.types import (
    DEFAULT_NEGOTIATED_VERSION,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    RequestId,
)
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS

from zava.protocol.http import JSON, accepts
from zava.protocol.json_body import parse_json


class RefusedRequest(Exception):  # noqa: N818  (a verdict on the request, not a failure of ours)
    """An HTTP request that cannot become a call: the status and the JSON-RPC error it is answered with."""

    def __init__(
        self,
        status: int,
        error: ErrorData,
        request_id: RequestId | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.request_id = request_id
        self.headers = headers or {}

    @classmethod
    def by(cls, rejection: InboundLadderRejection, request_id: RequestId | None = None) -> RefusedRequest:
        error = ErrorData(code=rejection.code, message=rejection.message, data=rejection.data)
        return cls(ERROR_CODE_HTTP_STATUS[rejection.code], error, request_id)


@dataclass(frozen=True, slots=True)
class HttpRules:
    """What an HTTP request must keep before anybody asks who sent it. Origins are in lower case."""

    allowed_origins: frozenset[str]
    max_body_bytes: int

    def check(self, method: str, headers: Mapping[str, str], body: bytes) -> None:
        """Raises RefusedRequest with 403, 405, 413, 415 or 406."""
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in self.allowed_origins:
            raise _refused(403, "This origin may not call")
        if method != "POST":
            # No stream to open and no session to end, so GET and DELETE mean nothing here.
            raise _refused(405, "Only POST is served", {"allow": "POST"})
        if len(body) > self.max_body_bytes:
            raise _refused(413, f"The body must not exceed {self.max_body_bytes} bytes")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            raise _refused(415, f"Content-Type must be {JSON}")
        if not accepts(headers.get("accept", "*/*"), JSON):
            raise _refused(406, f"Accept must allow {JSON}")


@dataclass(frozen=True, slots=True)
class Call:
    """One JSON-RPC request. `route` is what a 2026-07-28 request says of its client; None in the handshake era, where
    that was said once, to whichever instance answered `initialize`."""

    id: RequestId
    method: str
    params: dict[str, Any] | None
    version: str
    route: InboundModernRoute | None

    def connection(self, outbound: Outbound) -> Connection:
        """The kernel's view of the client: one request long, and past any handshake.

        Args:
            outbound: takes what the server says unasked. Since 2026-07-28 only a subscription may be told such things.
        """
        if self.route is not None:
            return Connection.from_envelope(self.version, self.route.client_info, self.route.client_capabilities)
        connection = Connection.for_loop(outbound, protocol_version_hint=self.version)
        connection.initialized.set()
        return connection


class CallReader:
    """Reads calls for one server, whose tools must not change any more."""

    def __init__(self, server: Server[Any]) -> None:
        self._server = server
        self._mirroring: dict[str, Mapping[str, Any] | None] = {}

    def read(self, headers: Mapping[str, str], body: bytes) -> Call | None:
        """The call a body holds, or None for what wants no answer: a notification, or an answer to a question of ours
        (a stateless server has asked none).

        The version header decides the era: absent, or a version of the handshake era, is that era; anything else is
        the modern one.

        Raises:
            RefusedRequest: with 400.
        """
        try:
            message: Any = parse_json(body)
        except ValueError:
            raise _refused(400, "The body is not valid JSON", code=PARSE_ERROR) from None
        version = headers.get("mcp-protocol-version", DEFAULT_NEGOTIATED_VERSION)
        modern = version not in HANDSHAKE_PROTOCOL_VERSIONS
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            raise _refused(400, "The body must be one JSON-RPC 2.0 message; batches are not served")
        message = cast("dict[str, Any]", message)
        if "method" not in message and not modern and isinstance(message.get("result", message.get("error")), dict):
            return None
        method, params = message.get("method"), message.get("params")
        if not isinstance(method, str) or not (params is None or isinstance(params, dict)):
            raise _refused(400, "The body must be a JSON-RPC request or notification with named parameters")
        if "id" not in message:
            if modern and (rejection := unsupported_protocol_version_rejection(version)) is not None:
                raise RefusedRequest.by(rejection)
            return None
        request_id = message["id"]
        if not isinstance(request_id, str | int) or isinstance(request_id, bool):
            raise _refused(400, "The id of a JSON-RPC request must be a string or an integer")
        params = cast("dict[str, Any] | None", params)
        if not modern:
            return Call(request_id, method, params, version, None)
        route = classify_inbound_request(message, headers=headers)
        if not isinstance(route, InboundLadderRejection):
            mismatch = self._header_mismatch(method, params, headers)
            if mismatch is None:
                return Call(request_id, method, params, version, route)
            route = mismatch
        raise RefusedRequest.by(route, request_id)

    def _header_mismatch(
        self, method: str, params: dict[str, Any] | None, headers: Mapping[str, str]
    ) -> InboundLadderRejection | None:
        """`Mcp-Param-*` headers must agree with the arguments they repeat (MCP 2026-07-28, "Transports")."""
        if method != "tools/call" or params is None:
            return None
        name, arguments = params.get("name"), params.get("arguments") or {}
        if not isinstance(name, str) or not isinstance(arguments, dict):
            return None
        schema = self._mirroring_schema(name)
        if schema is None:
            return None
        return validate_mcp_param_headers(schema, cast("dict[str, Any]", arguments), headers)

    def _mirroring_schema(self, tool: str) -> Mapping[str, Any] | None:
        """The tool's input schema if it wants any argument repeated in a header. Walking a schema at each call would
        cost more than all other checks together, so the verdict is kept, for tools that exist."""
        if tool in self._mirroring:
            return self._mirroring[tool]
        lookup = self._server.get_tool_input_schema
        schema = lookup(tool) if lookup else None
        if schema is None:
            return None
        self._mirroring[tool] = schema if x_mcp_header_map(schema) else None
        return self._mirroring[tool]


def _refused(
    status: int, message: str, headers: Mapping[str, str] | None = None, *, code: int = INVALID_REQUEST
) -> RefusedRequest:
    return RefusedRequest(status, ErrorData(code=code, message=message), headers=headers)
