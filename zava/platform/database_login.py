"""What the two database logins prove themselves with: a password each, or a token of Entra ID for an identity each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from zava.platform.credential import SharedCredential, azure_credential
from zava.platform.secret_names import SecretName
from zava.platform.secrets import Secrets
from zava.platform.settings import Settings

SCOPE = "https://ossrdbms-aad.database.windows.net/.default"


class Password(Protocol):
    """Asked for every new connection. Two that are equal stand for the same login's same password."""

    async def __call__(self, refused: str | None = None) -> str:
        """The password; given one the database refused, a newer one if there is one.

        Raises:
            ServiceUnavailableError: neither the vault nor Entra ID gave one.
        """
        ...


@dataclass(frozen=True, slots=True)
class SecretPassword:
    """Implements `Password` with a secret; `configured` is the setting's value, if it has one."""

    name: SecretName
    configured: str = field(repr=False)
    vault_url: str
    secrets: Secrets = field(compare=False, repr=False)

    async def __call__(self, refused: str | None = None) -> str:
        return await self.secrets.get(self.name, refused=refused)


@dataclass(frozen=True, slots=True)
class TokenPassword:
    """Implements `Password` with a token of one managed identity: what PostgreSQL on Azure takes as its password."""

    client_id: str
    credential: SharedCredential = field(compare=False, repr=False)

    async def __call__(self, refused: str | None = None) -> str:
        return await self.credential.token(SCOPE, refused=refused)


@dataclass(frozen=True, slots=True)
class DatabaseLogins:
    """The passwords of the login that runs models' SQL and of the one that does Zava's own work."""

    reader: Password
    app: Password

    @classmethod
    def of(
        cls, settings: Settings, secrets: Secrets | None = None, credential: SharedCredential | None = None
    ) -> DatabaseLogins:
        """The logins' passwords.

        Args:
            secrets, credential: what the rest of the process uses, if there is a rest. The credential is the app's own
                identity; the reader has another, so that a token of it can never write.
        """
        credential = credential or SharedCredential.of(settings)
        secrets = secrets or Secrets.of(settings, credential)
        if settings.postgres_auth == "password":
            configured, url = settings.secrets(), settings.azure_key_vault_url
            return cls(
                *(
                    SecretPassword(name, configured[name], url, secrets)
                    for name in (SecretName.POSTGRES_PASSWORD, SecretName.POSTGRES_APP_PASSWORD)
                )
            )
        reader_id = settings.azure_reader_client_id
        reader = SharedCredential(lambda: azure_credential(reader_id, on_azure=settings.on_azure))
        return cls(TokenPassword(reader_id, reader), TokenPassword(settings.azure_client_id, credential))
