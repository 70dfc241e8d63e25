"""The public half of an operator's key pair: what verifies tokens in a deployment without an app registration."""

from __future__ import annotations

from zava.platform.secret_names import SecretName
from zava.platform.secrets import Secrets
from zava.platform.signing_key import jwks_of_pem

PRIVATE_KEY_SECRET = "auth-private-key"  # noqa: S105  (a name; only the operator's own command reads it)


class OperatorKeys:
    """The key as a JWK set, for `JwksCache`, which asks when it wants a newer one than it has."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._given: str | None = None

    async def __call__(self) -> bytes:
        """Raises ServiceUnavailableError, and ValueError when the secret holds no public RSA key."""
        self._given = await self._secrets.get(SecretName.AUTH_PUBLIC_KEY, refused=self._given)
        return jwks_of_pem(self._given)
