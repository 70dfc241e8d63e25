"""The key that signs tenant contexts, fetched when the first one is signed, and again when the database refused it."""

from __future__ import annotations

from typing import Protocol

from zava.data.tenant_context import ContextSigner, SigningKey
from zava.errors import ServiceUnavailableError
from zava.platform.secret_names import SecretName
from zava.platform.secrets import Secrets


class Signers(Protocol):
    """Where signers come from."""

    async def current(self, refused: ContextSigner | None = None) -> ContextSigner:
        """A signer with the key in use; given one whose contexts the database refused, a newer one if there is one.

        Raises:
            ServiceUnavailableError: the key cannot be had.
        """
        ...


class SecretSigners:
    """Implements `Signers` with the secret `tenant-signing-key`."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._text: str | None = None
        self._signer: ContextSigner | None = None
        self._malformed: str | None = None

    async def current(self, refused: ContextSigner | None = None) -> ContextSigner:
        """See `Signers.current`."""
        in_use = refused is not None and refused is self._signer
        useless = self._text if in_use else self._malformed
        text = await self._secrets.get(SecretName.TENANT_SIGNING_KEY, refused=useless)
        if self._signer is None or text != self._text:
            try:
                signer = ContextSigner(SigningKey.parse(text))
            except ValueError:
                self._malformed = text
                raise ServiceUnavailableError(
                    "The secret tenant-signing-key is malformed", "It must be `<key id>:<64 hex digits>`."
                ) from None
            self._text, self._signer = text, signer
        return self._signer
