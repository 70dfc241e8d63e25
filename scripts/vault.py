"""The keys that live in Key Vault: made once, never shown, never made anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from cryptography.fernet import Fernet

from scripts.patience import patiently
from zava.data.tenant_context import SigningKey
from zava.platform.secret_names import SecretName
from zava.platform.signing_key import load_private_key, new_private_key, public_pem
from zava.platform.whole_file import write_whole

if TYPE_CHECKING:
    from azure.keyvault.secrets import SecretClient

PRIVATE_KEY_FILE = "operator_private_key.pem"

_MAKERS: dict[SecretName, Callable[[], str]] = {
    SecretName.TENANT_SIGNING_KEY: lambda: SigningKey.generate("key1").text(),
    SecretName.CACHE_ENCRYPTION_KEY: lambda: Fernet.generate_key().decode(),
}


class VaultSetup:
    """Key Vault as whoever runs azd; the infrastructure lets them set secrets there.

    Args:
        folder: where the operator's private key is written. It never goes into this vault, which the app may read.
    """

    def __init__(self, client: SecretClient, folder: Path) -> None:
        self._client = client
        self._folder = folder

    async def keys(self, *, operator: bool) -> str:
        """Make the keys that are missing; with `operator`, the pair that stands in for an app registration too.

        Raises:
            azure.core.exceptions.AzureError: the vault refused; a role that was given just now is waited for.
        """
        made: list[str] = []
        for name, make in _MAKERS.items():
            if await self._read(name) is None:
                await self._write(name, make())
                made.append(name)
        if operator and await self._read(SecretName.AUTH_PUBLIC_KEY) is None:
            await self._write(SecretName.AUTH_PUBLIC_KEY, self._operator_key())
            made.append(f"{SecretName.AUTH_PUBLIC_KEY}, its private half in {self._folder / PRIVATE_KEY_FILE}")
        return f"made {', '.join(made)}" if made else "all there"

    async def tenant_signing_key(self) -> SigningKey:
        """The key the app will sign with. Raises ValueError when the vault holds something else."""
        return SigningKey.parse(await self._read(SecretName.TENANT_SIGNING_KEY) or "")

    def _operator_key(self) -> str:
        """The public half; the private half is on disk before it is told to anybody."""
        file = self._folder / PRIVATE_KEY_FILE
        if not file.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(file, new_private_key(), 0o600, keep=True)
        return public_pem(load_private_key(file.read_bytes())).decode()

    async def _read(self, name: SecretName) -> str | None:
        try:
            return (await self._patiently(lambda: self._client.get_secret(name).value)) or ""
        except ResourceNotFoundError:
            return None

    async def _write(self, name: SecretName, value: str) -> None:
        await self._patiently(lambda: self._client.set_secret(name, value).name)

    async def _patiently(self, work: Callable[[], str | None]) -> str | None:
        return await patiently(lambda: asyncio.to_thread(work), _role_not_known_yet)


def _role_not_known_yet(problem: Exception) -> str | None:
    """A role assignment takes minutes to reach a vault, which says 403 until then."""
    refused = isinstance(problem, HttpResponseError) and problem.status_code == 403
    return "the vault does not know of the role yet" if refused else None
