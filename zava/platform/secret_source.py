"""Where secrets are kept: Key Vault, asked by its own client. `zava.platform.secrets` keeps what it says."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

from zava.errors import ServiceUnavailableError
from zava.platform.breaker import CircuitBreaker, CircuitOpenError
from zava.platform.credential import SharedCredential

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.keyvault.secrets import SecretClient

DEADLINE_SECONDS = 4.0
"""All attempts together; a `Retry-After` of the vault is not waited for."""
_ATTEMPTS = 3
_PAUSE_SECONDS = 0.2
OPEN_SECONDS = 3.0
"""After three failed attempts the vault is left alone for this long. Short, because a worker that has no value yet has
nothing to go on with, and should find the vault again as soon as it is back."""


class SecretMissingError(ServiceUnavailableError):
    """The secret does not exist, which asking again does not change."""


class SecretSource(Protocol):
    async def get(self, name: str) -> str:
        """The secret's value. Raises ServiceUnavailableError."""
        ...


class KeyVaultSecrets:
    """Implements `SecretSource` with Key Vault's own, synchronous client in a thread. Keeps no value: what asks does.

    Args:
        client: makes the client, once, on first use and off the event loop: its imports take a quarter of a second.
        clock: monotonic seconds.
    """

    def __init__(self, client: Callable[[], SecretClient], clock: Callable[[], float] = time.monotonic) -> None:
        self._make = client
        self._client: SecretClient | None = None
        self._making = threading.Lock()
        self._breaker = CircuitBreaker("Key Vault", _NotGivenError, failures=3, open_seconds=OPEN_SECONDS, clock=clock)

    async def get(self, name: str) -> str:
        """See `SecretSource.get`.

        Raises:
            SecretMissingError: the vault has no such secret.
            ServiceUnavailableError: the vault is away, or refused it; after four seconds at most.
        """
        ends_at = asyncio.get_running_loop().time() + DEADLINE_SECONDS
        last: Exception | None = None
        try:
            for attempt in range(_ATTEMPTS):
                if attempt:
                    await asyncio.sleep(_PAUSE_SECONDS)
                try:
                    return await self._breaker.call(lambda: self._attempt(name, ends_at))
                except _NotGivenError as problem:
                    last = problem
        except CircuitOpenError as problem:
            last = last or problem
        raise ServiceUnavailableError(
            f"The vault did not give the secret {name}: {last}",
            "Try the same call again in a few seconds.",
            round(OPEN_SECONDS),
        ) from last

    async def _attempt(self, name: str, ends_at: float) -> str:
        try:
            async with asyncio.timeout_at(ends_at):
                return await asyncio.to_thread(self._read, name)
        except TimeoutError:
            raise _NotGivenError(f"no answer within {DEADLINE_SECONDS:g} s") from None

    def _read(self, name: str) -> str:
        from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

        with self._making:
            if self._client is None:
                self._client = self._make()
        try:
            value = self._client.get_secret(name).value
        except ClientAuthenticationError as problem:  # the identity endpoint, or the vault did not take its token
            raise _NotGivenError(_told(problem)) from problem
        except HttpResponseError as problem:
            if problem.status_code == 404:
                raise SecretMissingError(f"The vault has no secret {name}", f"Put {name} into the vault.") from problem
            if problem.status_code in (400, 403):
                raise ServiceUnavailableError(
                    f"The vault refused the secret {name} with status {problem.status_code}"
                ) from problem
            raise _NotGivenError(f"status {problem.status_code}") from problem
        except AzureError as problem:
            raise _NotGivenError(_told(problem)) from problem
        if not value:
            raise SecretMissingError(f"The secret {name} in the vault is empty", f"Give {name} a value.")
        return value


class _NotGivenError(Exception):
    """The vault, or the identity it wants to see, is away; it may be back a moment later."""


def _told(problem: Exception) -> str:
    """The exception's own first line: what azure-identity says further down repeats what it tried."""
    return f"{type(problem).__name__}: {(str(problem).splitlines() or [''])[0][:200]}"


def key_vault_client(url: str, credential: SharedCredential, **options: Any) -> SecretClient:
    """A client without the package's own long retries."""
    from azure.keyvault.secrets import SecretClient

    # The package takes anything with `get_token_info`, and its type hints name only the older protocol.
    older = cast("TokenCredential", credential)
    return SecretClient(url, older, retry_total=0, connection_timeout=2, read_timeout=2, **options)
