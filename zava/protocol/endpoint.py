"""The MCP endpoint: stateless streamable HTTP in both protocol eras, one request in, one reply out.

It stands on the kernel of the `mcp` package (`ServerRunner`) and on nothing that would have to be started: no session,
task group or ASGI lifespan, so concurrent first requests have nothing to race for and any event loop will do.

A request is refused as early as can be: origin, method, size, content type, accept, caller, JSON, era.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp.server import MCPServer
from mcp.server.lowlevel import Server
from mcp.server.runner import ServerRunner
from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data, progress_token_from_params
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, REQUEST_TIMEOUT, ErrorData, RequestId

from zava.errors import AuthorizationError, MCPError, ServiceUnavailableError, ValidationError
from zava.platform.tracing import joined
from zava.protocol import audit
from zava.protocol.exchange import Exchange, event_stream, message_json
from zava.protocol.http import (
    EVENT_STREAM,
    Challenge,
    HttpReply,
    accepts,
    bearer_challenge,
    error_reply,
    internal_error,
    log_failure,
    reply,
)
from zava.protocol.inbound import Call, CallReader, HttpRules, RefusedRequest
from zava.protocol.request import Caller, McpRequest

logger = logging.getLogger(__name__)


def kernel_server(server: MCPServer[Any]) -> Server[Any]:
    """The low-level server behind an `MCPServer`; the package shows it only by way of its own ASGI app."""
    server.streamable_http_app()
    return server.session_manager.app


class McpEndpoint:
    """Answers HTTP requests with an MCP server.

    Args:
        server: what answers, see `kernel_server`. Its lifespan is not run: a function app has no moment to end it.
        admit: verifies who calls, from the request's headers; raises errors of `zava.errors`.
        allowed_origins: browser origins (`scheme://host[:port]`) that may call. A request without `Origin`, which is
            every client that is no browser, always may.
        request_timeout: seconds after which a request is cut, all its steps together.
        max_body_bytes: a larger body gets 413.
        challenge: writes the `WWW-Authenticate` of a refusal.
    """

    def __init__(
        self,
        server: Server[Any],
        admit: Callable[[Mapping[str, str]], Awaitable[Caller]],
        *,
        allowed_origins: frozenset[str],
        request_timeout: float,
        max_body_bytes: int = 4 * 1024 * 1024,
        challenge: Challenge = bearer_challenge,
    ) -> None:
        self._server = server
        self._reader = CallReader(server)
        self._admit = admit
        # Sandboxed documents of any site share the origin `null` (RFC 6454, section 7.3): it names nobody.
        origins = frozenset(origin.lower() for origin in allowed_origins) - {"null"}
        self._rules = HttpRules(origins, max_body_bytes)
        self._request_timeout = request_timeout
        self._challenge = challenge

    async def handle(self, method: str, headers: Mapping[str, str], body: bytes) -> HttpReply:
        """Answer one HTTP request, whatever it holds. Header names are lower case; a repeated header is folded."""
        correlation_id = secrets.token_hex(16)
        with joined(headers, correlation_id):
            return await self._handle(method, headers, body, correlation_id)

    async def _handle(self, method: str, headers: Mapping[str, str], body: bytes, correlation_id: str) -> HttpReply:
        deadline = time.monotonic() + self._request_timeout
        limit = asyncio.timeout(self._request_timeout)
        call: Call | None = None
        try:
            self._rules.check(method, headers, body)
            async with limit:
                caller = await self._admit(headers)
                call = self._reader.read(headers, body)
                if call is None:
                    return reply(202, b"", correlation_id)
                return await self._serve(call, McpRequest(caller, deadline, correlation_id, headers))
        except RefusedRequest as refused:
            if refused.status == 403:
                audit.refused(AuthorizationError(refused.error.message), 403, correlation_id)
            return _refusal(refused, correlation_id)
        except Exception as problem:  # noqa: BLE001  (error_reply logs what is none of ours)
            if not limit.expired():
                return error_reply(problem, correlation_id, headers, self._challenge)
            if call is None:
                late = ServiceUnavailableError("The caller could not be verified in time")
                return error_reply(late, correlation_id, headers, self._challenge)
            return _error(call, self._timed_out(correlation_id), correlation_id)

    async def _serve(self, call: Call, request: McpRequest) -> HttpReply:
        exchange = Exchange(
            request_id=call.id,
            transport=TransportContext(kind="azure-functions", can_send_request=False, headers=request.headers),
            message_metadata=ServerMessageMetadata(request_context=request),
            progress_token=progress_token_from_params(call.params),
        )
        try:
            connection = call.connection(exchange)
            # What the package's `serve_one` does, without its second timer around clean-up, which costs 7 % of a call.
            async with connection.exit_stack:
                kernel = ServerRunner(self._server, connection, lifespan_state={})
                result = await kernel.on_request(exchange, call.method, call.params)
            answer = {"jsonrpc": "2.0", "id": call.id, "result": result}
            if exchange.notifications and accepts(request.headers.get("accept", "*/*"), EVENT_STREAM):
                stream = event_stream(*exchange.notifications, answer)
                return reply(200, stream, request.correlation_id, content_type=EVENT_STREAM)
            return reply(200, message_json(answer), request.correlation_id)
        except AuthorizationError:
            raise  # HTTP says it, with the challenge
        except Exception as problem:  # noqa: BLE001  (_error_data logs what is none of ours)
            return _error(call, _error_data(problem, request.correlation_id), request.correlation_id)

    def _timed_out(self, correlation_id: str) -> ErrorData:
        return ErrorData(
            code=REQUEST_TIMEOUT,
            message=f"The call was stopped: it took longer than {self._request_timeout:g} s",
            data={"code": "REQUEST_TIMEOUT", "hint": "Ask for less at once.", "correlation_id": correlation_id},
        )


def _error_data(problem: Exception, correlation_id: str) -> ErrorData:
    """What the caller learns of an exception that left the kernel."""
    if isinstance(problem, ValidationError):  # clients show the message alone, and the hint says what would be right
        return ErrorData(
            code=INVALID_PARAMS, message=f"{problem.message} {problem.hint}".rstrip(), data=problem.as_dict()
        )
    if isinstance(problem, MCPError):
        log_failure(problem, correlation_id)
        return ErrorData(code=INTERNAL_ERROR, message=problem.message, data=problem.as_dict())
    if (error := handler_exception_to_error_data(problem)) is not None:
        return error
    logger.error("request %s failed in the kernel", correlation_id, exc_info=problem)
    return ErrorData(code=INTERNAL_ERROR, message="internal error", data=internal_error(correlation_id))


def _error(call: Call, error: ErrorData, correlation_id: str) -> HttpReply:
    status = ERROR_CODE_HTTP_STATUS.get(error.code, 200) if call.route is not None else 200
    return reply(status, _error_json(call.id, error), correlation_id)


def _refusal(refused: RefusedRequest, correlation_id: str) -> HttpReply:
    body = _error_json(refused.request_id, refused.error)
    return reply(refused.status, body, correlation_id, extra=refused.headers)


def _error_json(request_id: RequestId | None, error: ErrorData) -> bytes:
    return message_json({"jsonrpc": "2.0", "id": request_id, "error": error.model_dump(exclude_none=True)})
