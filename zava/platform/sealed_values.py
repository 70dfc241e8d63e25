"""Values encrypted for a store that others may read, write to, or mix up: back comes what was put there, or nothing.

Fernet (https://github.com/fernet/spec) encrypts and authenticates. Within the ciphertext stand the key that the value
was stored under, so that one copied under another key is found out, and the time it was made, so that an old one that
is put back is found out too.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_KEY_BYTES = 64
"""A key is a SHA-256 in hex."""
_MADE_AT = struct.Struct(">d")


@dataclass(frozen=True, slots=True)
class Unsealed:
    """`made_at` is in seconds since 1970."""

    value: bytes
    made_at: float


class SealedValues:
    """Seals with the first of the keys and opens with any, so that one can take another's place.

    Args:
        keys: Fernet keys (32 bytes, base64), separated by commas, the newest first.

    Raises:
        ValueError: a key is not one.
    """

    def __init__(self, keys: str) -> None:
        from cryptography.fernet import Fernet, MultiFernet

        self._fernet: MultiFernet = MultiFernet([Fernet(key.strip()) for key in keys.split(",")])

    def seal(self, key: str, value: bytes, made_at: float) -> bytes:
        return self._fernet.encrypt(key.encode() + _MADE_AT.pack(made_at) + value)

    def unseal(self, key: str, sealed: bytes) -> Unsealed | None:
        """None for whatever was not sealed under this key with one of ours."""
        from cryptography.fernet import InvalidToken

        try:
            opened = self._fernet.decrypt(sealed)
        except InvalidToken:
            return None
        start = _KEY_BYTES + _MADE_AT.size
        if len(opened) < start or not hmac.compare_digest(opened[:_KEY_BYTES], key.encode()):
            return None
        (made_at,) = _MADE_AT.unpack_from(opened, _KEY_BYTES)
        return Unsealed(opened[start:], made_at)
