"""Where a secret comes from: this process's own settings, or Key Vault."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from zava.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from azure.core.credentials import SupportsTokenInfo, TokenCredential
    from azure.keyvault.secrets import SecretClient

DEADLINE_SECONDS = 4.0
"""All attempts together; a `Retry-After` of the vault is not waited for."""
_ATTEMPTS = 3
_PAUSE_SECONDS = 0.2


class SecretSource(Protocol):
    async def get(self, name: str) -> str:
        """The secret's value. Raises ServiceUnavailableError."""
        ...


class SettingsSecrets:
    """Implements `SecretSource` with values from the settings; an empty one counts as absent."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    async def get(self, name: str) -> str:
        """See `SecretSource.get`."""
        if not (value := self._values.get(name)):
            raise ServiceUnavailableError(f"The secret {name} is not configured")
        return value


class KeyVaultSecrets:
    """Implements `SecretSource` with Key Vault's own, synchronous client in a thread. Keeps no value: what asks does.

    Args:
        client: makes the client, once, on first use and off the event loop: its imports take a quarter of a second.
    """

    def __init__(self, client: Callable[[], SecretClient]) -> None:
        self._make = client
        self._client: SecretClient | None = None
        self._making = threading.Lock()

    async def get(self, name: str) -> str:
        """See `SecretSource.get`."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                for _ in range(_ATTEMPTS - 1):
                    if (value := await asyncio.to_thread(self._read, name)) is not None:
                        return value
                    await asyncio.sleep(_PAUSE_SECONDS)
                value = await asyncio.to_thread(self._read, name)
        except TimeoutError:
            value = None
        if value is None:
            raise ServiceUnavailableError(f"The vault did not give the secret {name}")
        return value

    def _read(self, name: str) -> str | None:
        """The value, or None when another attempt may succeed."""
        from azure.core.exceptions import AzureError, HttpResponseError

        with self._making:
            if self._client is None:
                self._client = self._make()
        try:
            return self._client.get_secret(name).value
        except HttpResponseError as problem:
            if problem.status_code in (400, 401, 403, 404):
                raise ServiceUnavailableError(
                    f"The vault refused the secret {name} with status {problem.status_code}"
                ) from problem
            return None
        except AzureError:
            return None


def key_vault_client(url: str, credential: SupportsTokenInfo, **options: Any) -> SecretClient:
    """A client without the package's own long retries."""
    from azure.keyvault.secrets import SecretClient

    # The package takes either protocol, and its type hints name only the older one.
    older = cast("TokenCredential", credential)
    return SecretClient(url, older, retry_total=0, connection_timeout=2, read_timeout=2, **options)
