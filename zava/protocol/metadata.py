"""The protected resource metadata (RFC 9728), at the root well-known path and at the endpoint's own."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from pydantic_core import to_json

from zava.errors import ValidationError
from zava.protocol.authentication import RESOURCE_PATH, ProtectedResource
from zava.protocol.http import HttpReply, error_reply, reply


async def metadata_reply(resource: ProtectedResource, path: str, headers: Mapping[str, str]) -> HttpReply:
    """The document for `/.well-known/oauth-protected-resource` (empty path) and for its `/mcp` form; else 404."""
    correlation_id = secrets.token_hex(16)
    if path.strip("/") not in ("", RESOURCE_PATH.strip("/")):
        return reply(404, b"", correlation_id)
    try:
        document = resource.metadata(headers)
    except ValidationError as problem:
        return error_reply(problem, correlation_id, headers)
    return reply(200, to_json(document), correlation_id)
