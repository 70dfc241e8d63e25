"""Every secret Zava reads: one name in the vault, and the same in upper case with underscores as a setting."""

from __future__ import annotations

from enum import StrEnum


class SecretName(StrEnum):
    """The value is the name in the vault. `docs/operations.md` says who reads each and how it is replaced."""

    TENANT_SIGNING_KEY = "tenant-signing-key"
    POSTGRES_PASSWORD = "postgres-password"  # noqa: S105  (a name)
    POSTGRES_APP_PASSWORD = "postgres-app-password"  # noqa: S105  (a name)
    CACHE_ENCRYPTION_KEY = "cache-encryption-key"
    REDIS_URL = "redis-url"
    AUTH_PUBLIC_KEY = "auth-public-key"

    @property
    def setting(self) -> str:
        """The environment variable that holds it where there is no vault, and wins where there is one."""
        return self.value.replace("-", "_").upper()
