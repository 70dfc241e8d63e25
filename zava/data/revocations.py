"""Tokens and subjects that were revoked: a snapshot of two small tables, taken again every few seconds.

A revocation is seen at the latest ten seconds after it was made, by every worker, without a round trip in the way of
the calls. While the database is away the last snapshot holds for a minute; after that nobody is let in.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from zava.data.pools import CONNECTION_ERRORS, Pools
from zava.errors import AuthenticationError, MCPError, ServiceUnavailableError
from zava.platform.identity import Principal
from zava.platform.shared_task import is_under_way
from zava.platform.token_verifier import LEEWAY_SECONDS

logger = logging.getLogger(__name__)

RENEW_SECONDS = 5.0
"""An older snapshot is still used, while a new one is taken in the background; failed attempts are this far apart."""
EFFECTIVE_SECONDS = 10.0
"""An older snapshot is used only when a new one was tried and could not be had."""
STALE_SECONDS = 60.0
AGAIN_SECONDS = 1.0
"""Failed attempts are so far apart while nobody is let in for want of a snapshot."""
ATTEMPT_SECONDS = 2.0

_TOKENS = "SELECT token_id FROM zava.revoked_tokens WHERE keep_until > now()"
_SUBJECTS = """
SELECT issuer, subject, extract(epoch FROM not_before)::float8 AS not_before
FROM zava.revoked_subjects WHERE keep_until > now()
"""


class Revocations:
    """Refuses revoked principals. `clock` is monotonic seconds."""

    def __init__(self, pools: Pools, clock: Callable[[], float] = time.monotonic) -> None:
        self._pools = pools
        self._clock = clock
        self._tokens: frozenset[str] = frozenset()
        self._subjects: Mapping[tuple[str, str], float] = {}
        self._taken_at = float("-inf")
        self._tried_at = float("-inf")
        self._taking: asyncio.Task[None] | None = None

    async def check(self, principal: Principal) -> None:
        """Return when the principal is not revoked.

        Raises:
            AuthenticationError: its token, or all of its subject's up to some moment, were revoked.
            ServiceUnavailableError: what is revoked was last known more than a minute ago.
        """
        age = self._clock() - self._taken_at
        if age >= RENEW_SECONDS:
            taking = self._take_again()
            if taking is not None and age >= EFFECTIVE_SECONDS:
                await asyncio.shield(taking)
        if self._clock() - self._taken_at > STALE_SECONDS:
            raise ServiceUnavailableError(
                "What was revoked cannot be looked up",
                "Try again in a few seconds with the same token.",
                round(AGAIN_SECONDS),
            )
        not_before = self._subjects.get((principal.issuer, principal.subject))
        # The leeway, because the issuer's clock may be ahead of the database's: an old token must not look newer.
        by_subject = not_before is not None and principal.issued_at <= not_before + LEEWAY_SECONDS
        if by_subject or principal.token_id in self._tokens:
            raise AuthenticationError("The token was revoked", "Sign in again in a minute.", token_sent=True)

    def _take_again(self) -> asyncio.Task[None] | None:
        """The one attempt under way, a new one, or None while the database is left alone after a failure."""
        if not is_under_way(self._taking):
            pause = RENEW_SECONDS if self._clock() - self._taken_at <= STALE_SECONDS else AGAIN_SECONDS
            if self._clock() - self._tried_at < pause:
                return None
            self._taking = asyncio.ensure_future(self._take())
        return self._taking

    async def _take(self) -> None:
        started = self._clock()  # what is revoked while the rows are on their way may be missing
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS), self._pools.app.connection() as connection:
                tokens = await connection.fetch(_TOKENS)
                subjects = await connection.fetch(_SUBJECTS)
        except (*CONNECTION_ERRORS, MCPError) as problem:  # the login's password, too, may not be had
            logger.warning("revocations could not be read: %s", type(problem).__name__)
            self._tried_at = started
            return
        self._tokens = frozenset(row["token_id"] for row in tokens)
        self._subjects = {(row["issuer"], row["subject"]): row["not_before"] for row in subjects}
        self._taken_at = self._tried_at = started
