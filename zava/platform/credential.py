"""One source of Entra ID tokens for everything this process talks to on Azure.

azure-identity asks the identity endpoint once for each of several concurrent calls, and again and again while that is
away. Here concurrent callers share one request, tokens are renewed before they end, and a failure is remembered for a
moment. Nothing of azure-identity is imported before the first token is needed.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.credentials import AccessTokenInfo, SupportsTokenInfo

_RENEW_BEFORE_SECONDS = 300.0
_UNUSABLE_BEFORE_SECONDS = 30.0
_FAILURE_SECONDS = 2.0
_NEVER = float("-inf")


@dataclass(slots=True)
class _Entry:
    """What is known of one scope's token."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: AccessTokenInfo | None = None
    failed_at: float = _NEVER
    failure: Exception | None = None


class SharedCredential:
    """Tokens by scope, from threads and from the event loop.

    Args:
        make: the credential behind it, made in a thread with the first token.
        clock: seconds since 1970, which is how tokens state their end.
    """

    def __init__(self, make: Callable[[], SupportsTokenInfo], clock: Callable[[], float] = time.time) -> None:
        self._make = make
        self._clock = clock
        self._guard = threading.Lock()
        self._inner: SupportsTokenInfo | None = None
        self._entries: dict[str, _Entry] = {}

    async def token(self, scope: str) -> str:
        """A token for `scope` that is valid for at least half a minute more.

        Raises:
            azure.core.exceptions.AzureError: the identity endpoint gave none.
        """
        entry = self._entry(scope)
        if (token := self._fresh(entry)) is not None:
            return token.token
        return (await asyncio.to_thread(self._renewed, scope, entry)).token

    def _entry(self, scope: str) -> _Entry:
        with self._guard:
            return self._entries.setdefault(scope, _Entry())

    def _fresh(self, entry: _Entry) -> AccessTokenInfo | None:
        token = entry.token
        if token is None:
            return None
        renew_at = token.refresh_on or token.expires_on - _RENEW_BEFORE_SECONDS
        return token if self._clock() < renew_at else None

    def _renewed(self, scope: str, entry: _Entry) -> AccessTokenInfo:
        with entry.lock:
            if (token := self._fresh(entry)) is not None:
                return token  # another thread renewed it while this one waited
            old = entry.token
            still_valid = old is not None and self._clock() < old.expires_on - _UNUSABLE_BEFORE_SECONDS
            if entry.failure is None or self._clock() - entry.failed_at >= _FAILURE_SECONDS:
                try:
                    entry.token = self._credential().get_token_info(scope)
                except Exception as problem:  # noqa: BLE001  (kept and raised to every caller of the next moment)
                    entry.failed_at, entry.failure = self._clock(), problem
                else:
                    entry.failure = None
                    return entry.token
            if old is not None and still_valid:
                return old
            raise entry.failure

    def _credential(self) -> SupportsTokenInfo:
        with self._guard:
            if self._inner is None:
                self._inner = self._make()
            return self._inner


def azure_credential(client_id: str, *, on_azure: bool) -> SupportsTokenInfo:
    """The app's managed identity on Azure; elsewhere whoever signed in with `azd auth login` or `az login`.

    No retries and short timeouts: the SDK's defaults wait 24 s for an identity endpoint that is away, while callers
    have their own deadline and their own way to go on.
    """
    from azure.identity import (
        AzureCliCredential,
        AzureDeveloperCliCredential,
        ChainedTokenCredential,
        ManagedIdentityCredential,
    )

    if on_azure:
        return ManagedIdentityCredential(
            client_id=client_id or None, retry_total=0, connection_timeout=2, read_timeout=2
        )
    return ChainedTokenCredential(AzureDeveloperCliCredential(), AzureCliCredential())
