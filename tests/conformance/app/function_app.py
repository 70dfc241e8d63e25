"""A function app for the conformance suite only, never deployed: the suite's fixtures behind Zava's own endpoint.

In the place of real identities there is one random bearer, which `tests.conformance.run` makes for each run.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from uuid import UUID

import azure.functions as func

from tests.conformance.fixtures import conformance_server
from zava.data.tenant_context import TenantScope
from zava.errors import AuthenticationError
from zava.platform.identity import Principal
from zava.protocol.authentication import bearer_token
from zava.protocol.endpoint import McpEndpoint, kernel_server
from zava.protocol.request import Caller

_TOKEN = os.environ["ZAVA_CONFORMANCE_TOKEN"]
_SUITE = Caller(
    Principal("conformance", "suite", frozenset(), frozenset(), None, None, "1", 0, 0),
    TenantScope(frozenset({UUID(int=1)}), "0" * 64),
)


async def admit_the_suite(headers: Mapping[str, str]) -> Caller:
    if not hmac.compare_digest(bearer_token(headers), _TOKEN):
        raise AuthenticationError("This is not the token of this run", token_sent=True)
    return _SUITE


app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
endpoint = McpEndpoint(
    kernel_server(conformance_server()),
    admit_the_suite,
    allowed_origins=frozenset(os.environ["ZAVA_CONFORMANCE_ORIGINS"].split(",")),
    request_timeout=10,
)


@app.function_name("mcp")
@app.route(route="mcp", methods=["POST", "GET", "DELETE"])
async def mcp(req: func.HttpRequest) -> func.HttpResponse:
    reply = await endpoint.handle(req.method, req.headers, req.get_body())
    return func.HttpResponse(
        reply.body,
        status_code=reply.status,
        headers=dict(reply.headers),
        mimetype=reply.headers.get("content-type", "text/plain"),
    )
