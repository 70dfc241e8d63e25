"""The page at `/`: what this server is, how it is, and how to connect a client. It never holds a token."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
from collections.abc import Mapping
from functools import cache

from zava import VERSION
from zava.protocol.apps import page
from zava.protocol.authentication import RESOURCE_PATH, ProtectedResource
from zava.protocol.http import HttpReply, reply

# Where the address is not known (neither set nor loopback, see ProtectedResource) a person fills it in.
_UNKNOWN_ADDRESS = "https://ADDRESS"


async def home_reply(resource: ProtectedResource, headers: Mapping[str, str]) -> HttpReply:
    """The page, with this server's address in every example.

    Args:
        headers: the request's.
    """
    address = resource.address(headers)
    text = page("home")
    for name, value in {
        "endpoint": (address or _UNKNOWN_ADDRESS) + RESOURCE_PATH,
        "place": "laptop" if address.startswith("http://") else "cloud",
        "sign_in": "yes" if resource.signs_users_in else "no",
        "version": VERSION,
    }.items():
        text = text.replace("{{" + name + "}}", html.escape(value))
    extra = {"content-security-policy": _policy()}
    return reply(200, text.encode(), secrets.token_hex(16), content_type="text/html; charset=utf-8", extra=extra)


@cache
def _policy() -> str:
    """The page's own style and script by their hashes (CSP level 3), its own health report, and nothing else.

    `data:` is the icon, without which browsers ask for /favicon.ico.
    """
    style, script = (_hash(re.findall(f"<{tag}>(.*?)</{tag}>", page("home"), re.DOTALL)) for tag in ("style", "script"))
    return (
        f"default-src 'none'; style-src {style}; script-src {script}; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(blocks: list[str]) -> str:
    (only,) = blocks
    return f"'sha256-{base64.b64encode(hashlib.sha256(only.encode()).digest()).decode()}'"
