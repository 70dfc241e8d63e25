"""The signed tenant context: what a transaction may see, in a form that SQL written by a model cannot forge.

The text put into the transaction-local setting `zava.tenant_context` is, in one fixed format,

    <key id>|<expiry, seconds since 1970>|<subject, 64 hex digits>|<store ids, sorted, by comma>|<HMAC, 64 hex digits>

The HMAC-SHA256 (RFC 2104) covers everything before its separator. The database function `guard.current_store_ids()`
checks it with the key's two pads; the raw key never reaches the database. The text travels as a bind parameter only:
a literal would show in `pg_stat_activity` (design, section 4).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

LIFETIME_SECONDS = 60
KEY_BYTES = 32
_BLOCK_BYTES = 64  # SHA-256's block, hence the length of HMAC's two pads


@dataclass(frozen=True, slots=True)
class TenantScope:
    """The stores one call may see, never empty, and whose call it is (a keyed or plain hash, never a name).

    `rights` are the caller's roles and permissions: two callers of other rights never share a kept answer.
    """

    store_ids: frozenset[UUID]
    subject: str
    rights: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.store_ids:
            raise ValueError("a tenant scope names at least one store")
        if len(self.subject) != 64 or not set(self.subject) <= set("0123456789abcdef"):
            raise ValueError("a tenant scope's subject is a SHA-256 in hex")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key id (1 to 16 lower-case letters or digits) and 32 secret bytes."""

    key_id: str
    secret: bytes

    def __post_init__(self) -> None:
        if not (0 < len(self.key_id) <= 16 and self.key_id.isascii() and self.key_id.isalnum()):
            raise ValueError("a signing key's id is 1 to 16 letters or digits")
        if self.key_id != self.key_id.lower() or len(self.secret) != KEY_BYTES:
            raise ValueError(f"a signing key is a lower-case id and {KEY_BYTES} bytes")

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id!r}, <secret>)"

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """Read `<key id>:<64 hex digits>`, the form it has in settings and in Key Vault. Raises ValueError."""
        key_id, _, digits = text.partition(":")
        return cls(key_id, bytes.fromhex(digits))

    @classmethod
    def generate(cls, key_id: str) -> SigningKey:
        return cls(key_id, secrets.token_bytes(KEY_BYTES))

    def text(self) -> str:
        """The inverse of `parse`. Secret."""
        return f"{self.key_id}:{self.secret.hex()}"

    def pads(self) -> tuple[bytes, bytes]:
        """HMAC's inner and outer pad, as `guard.context_key` keeps them. As good as the key: secret."""
        block = self.secret.ljust(_BLOCK_BYTES, b"\0")
        return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)


class ContextSigner:
    """Signs tenant scopes with one key; the clock is a seam (seconds since 1970)."""

    def __init__(self, key: SigningKey, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock

    @property
    def key_id(self) -> str:
        return self._key.key_id

    def shifted(self, seconds: float) -> ContextSigner:
        """A signer with the same key whose clock is ahead by so many seconds."""
        return ContextSigner(self._key, lambda: self._clock() + seconds)

    async def current(self, refused: ContextSigner | None = None) -> ContextSigner:  # noqa: ARG002
        """Implements `Signers`: whoever has one key for good is asked for no other."""
        return self

    def sign(self, scope: TenantScope) -> str:
        stores = ",".join(sorted(str(store_id) for store_id in scope.store_ids))
        expiry = int(self._clock()) + LIFETIME_SECONDS
        message = f"{self._key.key_id}|{expiry}|{scope.subject}|{stores}"
        return f"{message}|{hmac.digest(self._key.secret, message.encode(), hashlib.sha256).hex()}"
