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

from zava.errors import ServiceUnavailableError
from zava.platform.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials import AccessTokenInfo, SupportsTokenInfo, TokenRequestOptions

_RENEW_BEFORE_SECONDS = 300.0
_UNUSABLE_BEFORE_SECONDS = 30.0
_FAILURE_SECONDS = 2.0
FORCED_SECONDS = 30.0
"""At least this long between two tokens that are fetched because the one at hand was refused."""
_NEVER = float("-inf")


@dataclass(slots=True)
class _Entry:
    """What is known of one scope's token."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: AccessTokenInfo | None = None
    failed_at: float = _NEVER
    failure: Exception | None = None
    forced_at: float = _NEVER


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

    @classmethod
    def of(cls, settings: Settings) -> SharedCredential:
        """The app's own identity."""
        return cls(lambda: azure_credential(settings.azure_client_id, on_azure=settings.on_azure))

    async def token(self, scope: str, *, refused: str | None = None) -> str:
        """A token for `scope` that is valid for at least half a minute more.

        Args:
            refused: the token this method gave before, when it was not taken: another one is fetched, at most every
                half minute; in between the same is returned.

        Raises:
            ServiceUnavailableError: the identity endpoint gave none.
        """
        entry = self._entry(scope)
        token = self._fresh(entry)
        if token is not None and token.token != refused:
            return token.token
        try:
            return (await asyncio.to_thread(self._renewed, scope, entry, refused)).token
        except Exception as problem:
            from azure.core.exceptions import AzureError

            if not isinstance(problem, AzureError):
                raise
            raise ServiceUnavailableError(
                "Entra ID gave this server no token",
                "Try the same call again in a few seconds.",
                round(_FAILURE_SECONDS),
            ) from problem

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """A token for the SDKs' own clients, which call this from their threads.

        Raises:
            azure.core.exceptions.AzureError: the identity endpoint gave none.
        """
        if options is not None and options.get("claims"):  # a challenge wants another token than the one at hand
            return self._credential().get_token_info(*scopes, options=options)
        (scope,) = scopes
        entry = self._entry(scope)
        return self._fresh(entry) or self._renewed(scope, entry, None)

    def _entry(self, scope: str) -> _Entry:
        with self._guard:
            return self._entries.setdefault(scope, _Entry())

    def _fresh(self, entry: _Entry) -> AccessTokenInfo | None:
        token = entry.token
        if token is None:
            return None
        renew_at = token.refresh_on or token.expires_on - _RENEW_BEFORE_SECONDS
        return token if self._clock() < renew_at else None

    def _renewed(self, scope: str, entry: _Entry, refused: str | None) -> AccessTokenInfo:
        with entry.lock:
            token = self._fresh(entry)
            if token is not None and token.token != refused:
                return token  # another thread renewed it while this one waited
            if token is not None:
                return self._forced(scope, entry, token)
            old = entry.token
            still_valid = old is not None and self._clock() < old.expires_on - _UNUSABLE_BEFORE_SECONDS
            if entry.failure is None or self._clock() - entry.failed_at >= _FAILURE_SECONDS:
                try:
                    entry.token = self._credential().get_token_info(scope)
                except Exception as problem:  # noqa: BLE001  (kept and raised to every caller of the next moment)
                    entry.failed_at, entry.failure = self._clock(), problem
                    self._inner = None  # the library remembers a failure longer; its next one knows of none
                else:
                    entry.failure = None
                    return entry.token
            if old is not None and still_valid:
                return old
            raise entry.failure

    def _forced(self, scope: str, entry: _Entry, old: AccessTokenInfo) -> AccessTokenInfo:
        if self._clock() - entry.forced_at < FORCED_SECONDS:
            return old
        entry.forced_at = self._clock()
        with self._make() as another:  # one whose own cache does not hold the refused token
            entry.token = another.get_token_info(scope)
        return entry.token

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
