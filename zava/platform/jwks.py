"""The issuer's public keys (RFC 7517), kept in memory and never older than a day.

PyJWT's own client blocks the event loop, forgets its keys when the issuer is away, and asks a failing issuer again for
every token. Here a request waits for the issuer only when it must: for the first keys, and for a key id never seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

from zava.errors import ServiceUnavailableError
from zava.platform.shared_task import is_under_way

logger = logging.getLogger(__name__)

FRESH_SECONDS = 3_600.0
"""Older keys are still used, while new ones are fetched in the background."""
STALE_SECONDS = 86_400.0
"""Keys that could not be renewed for this long are not used any more."""
COOLDOWN_SECONDS = 30.0
"""After any attempt the issuer is left alone for this long: tokens with invented key ids, or an outage of the issuer,
must not turn into a stream of requests. So a rotated key is known at the latest half a minute after its first token."""
WITHOUT_KEYS_SECONDS = 3.0
"""The same while there are no keys at all: nobody can be let in, so the end of an outage must be noticed soon."""
MAX_BYTES = 256 * 1024
_MIN_KEY_BITS = 2048


class JwksCache:
    """Public keys by their id.

    It holds no lock, client or connection between calls, only a task that is looked at on the loop it belongs to: a
    Functions worker (and a test) may change its event loop.

    Args:
        source: `https:` (redirects are not followed), `http:` or `file:`; settings decide which of these are allowed.
            Or what reads the JWK set from elsewhere; it may raise OSError, ValueError or ServiceUnavailableError.
        clock: monotonic seconds.
        timeout: longest one attempt may take, all its steps together, in seconds.
    """

    def __init__(
        self,
        source: str | Callable[[], Awaitable[bytes]],
        *,
        clock: Callable[[], float] = time.monotonic,
        timeout: float = 5.0,
    ) -> None:
        self._source = source
        self._clock = clock
        self._timeout = timeout
        self._keys: dict[str, RSAPublicKey] = {}
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def key(self, key_id: str) -> RSAPublicKey | None:
        """The key with this id, or None when the issuer has no such key.

        Raises:
            ServiceUnavailableError: nothing can be said about this id: there are no keys of the last 24 hours, or the
                id is new and the issuer did not answer when last asked. A client must not throw its token away for it.
        """
        age = self._clock() - self._read_at
        if key_id not in self._keys or age >= STALE_SECONDS:
            if (reading := self._read_again()) is not None:
                # Shielded: a caller that gives up must not cancel what others wait for.
                await asyncio.shield(reading)
        elif age >= FRESH_SECONDS:
            self._read_again()
        last_attempt_failed = self._tried_at > self._read_at
        if self._clock() - self._read_at >= STALE_SECONDS or (key_id not in self._keys and last_attempt_failed):
            raise ServiceUnavailableError(
                "The keys that tokens are verified with cannot be had",
                "Try again in a few seconds with the same token.",
                math.ceil(max(1.0, self._tried_at + self._cooldown - self._clock())),
            )
        return self._keys.get(key_id)

    def _read_again(self) -> asyncio.Task[None] | None:
        """The one attempt under way, a new one, or None while the issuer is left alone."""
        if not is_under_way(self._reading):
            if self._clock() - self._tried_at < self._cooldown:
                return None
            self._reading = asyncio.ensure_future(self._read())
        return self._reading

    @property
    def _cooldown(self) -> float:
        have_keys = self._clock() - self._read_at < STALE_SECONDS
        return COOLDOWN_SECONDS if have_keys else WITHOUT_KEYS_SECONDS

    async def _read(self) -> None:
        keys: dict[str, RSAPublicKey] = {}
        try:
            async with asyncio.timeout(self._timeout):
                source = self._source
                keys = usable_keys(await (_document(source) if isinstance(source, str) else source()))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, ServiceUnavailableError) as problem:
            logger.warning("The issuer's keys could not be read: %s: %s", type(problem).__name__, problem)
        # An attempt that died with its event loop never comes here and so counts for nothing.
        self._tried_at = self._clock()
        if keys:
            self._keys, self._read_at = keys, self._tried_at


def usable_keys(document: bytes) -> dict[str, RSAPublicKey]:
    """The keys of a JWK set that may verify an RS256 signature: RSA, 2048 bits or more, meant for signatures.

    Entra ID leaves `alg` out; a key that names another one is skipped (RFC 8725, section 3.1), as is one published
    with its private half.

    Raises:
        ValueError: the document is no JWK set, or holds no such key.
    """
    try:
        parsed: object = json.loads(document)
    except RecursionError:
        raise ValueError("the document is nested too deeply") from None
    entries: object = cast("dict[str, object]", parsed).get("keys") if isinstance(parsed, dict) else None
    if not isinstance(entries, list):
        raise ValueError("the document is no JWK set")  # noqa: TRY004  (a document's fault, not an argument's)
    keys = dict(found for entry in cast("list[object]", entries) if (found := _usable_key(entry)) is not None)
    if not keys:
        raise ValueError("the JWK set holds no usable key")
    return keys


def _usable_key(entry: object) -> tuple[str, RSAPublicKey] | None:
    if not isinstance(entry, dict):
        return None
    jwk = cast("dict[str, Any]", entry)
    key_id = jwk.get("kid")
    for_rs256 = jwk.get("use") in (None, "sig") and jwk.get("alg") in (None, "RS256")
    if not (isinstance(key_id, str) and jwk.get("kty") == "RSA" and for_rs256):
        return None
    try:
        key = RSAAlgorithm.from_jwk(jwk)
    except (ValueError, TypeError, jwt.PyJWTError):
        return None
    return (key_id, key) if isinstance(key, RSAPublicKey) and key.key_size >= _MIN_KEY_BITS else None


async def _document(url: str) -> bytes:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return await asyncio.to_thread(_read_file, Path(url2pathname(parts.path)))
    tls = await asyncio.to_thread(httpx2.create_ssl_context)  # reads the machine's certificates: tens of milliseconds
    body = bytearray()
    async with (
        httpx2.AsyncClient(verify=tls, follow_redirects=False) as client,
        # Unpacked a small answer may be a huge one: identity is asked for, and nothing is unpacked.
        client.stream("GET", url, headers={"accept-encoding": "identity"}) as response,
        contextlib.aclosing(response.aiter_raw()) as chunks,
    ):
        if response.status_code != 200:
            raise ValueError(f"status {response.status_code}")
        async for chunk in chunks:
            body += chunk
            _check_size(len(body))
    return bytes(body)


def _read_file(path: Path) -> bytes:
    _check_size(path.stat().st_size)
    return path.read_bytes()


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise ValueError(f"the document is larger than {MAX_BYTES} bytes")
