"""Who is calling, as logs and telemetry name them: a keyed hash, which nobody without the key can tell a person by.

The plain hash of an issuer and a subject could be found by trying; it stays in the database. The key is derived from
the tenant signing key, so a caller has the same name in every worker, and another one after that key was rotated.
"""

from __future__ import annotations

import hashlib
import hmac

from zava.errors import MCPError
from zava.platform.secret_names import SecretName
from zava.platform.secrets import Secrets

_PURPOSE = b"zava: callers' names in telemetry"


class Pseudonyms:
    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    async def of(self, subject: str) -> str:
        """32 hexadecimal digits; empty while the key cannot be had, since telemetry stops no call."""
        try:
            secret = await self._secrets.get(SecretName.TENANT_SIGNING_KEY)
        except MCPError:
            return ""
        key = hmac.digest(secret.encode(), _PURPOSE, hashlib.sha256)
        return hmac.new(key, subject.encode(), hashlib.sha256).hexdigest()[:32]
