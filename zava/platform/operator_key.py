"""The public half of an operator's key pair: what verifies tokens in a deployment without an app registration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from zava.platform.credential import azure_credential
from zava.platform.secret_source import KeyVaultSecrets, SecretSource, SettingsSecrets, key_vault_client
from zava.platform.settings import Settings
from zava.platform.signing_key import jwks_of_pem

PUBLIC_KEY_SECRET = "auth-public-key"  # noqa: S105  (a name)
PRIVATE_KEY_SECRET = "auth-private-key"  # noqa: S105  (a name)


def operator_keys(secrets: SecretSource) -> Callable[[], Awaitable[bytes]]:
    """Reads the key as a JWK set, for `JwksCache`."""

    async def read() -> bytes:
        return jwks_of_pem(await secrets.get(PUBLIC_KEY_SECRET))

    return read


def secret_source_of(settings: Settings) -> SecretSource:
    """AUTH_PUBLIC_KEY wins, because it is there without asking anybody; then the vault; then there is no key."""
    if settings.auth_public_key or not settings.azure_key_vault_url:
        return SettingsSecrets({PUBLIC_KEY_SECRET: settings.auth_public_key})
    return KeyVaultSecrets(
        lambda: key_vault_client(
            settings.azure_key_vault_url, azure_credential(settings.azure_client_id, on_azure=settings.on_azure)
        )
    )
