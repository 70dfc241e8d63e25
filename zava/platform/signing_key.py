"""RS256 key pairs whose private half is in our own hands (a laptop's issuer, an operator), and their tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

LONGEST_LIFETIME_HOURS = 24.0

_PEM = re.compile(r"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----", re.DOTALL)


def new_private_key() -> bytes:
    """A new key of 2048 bits as PEM (PKCS 8)."""
    return generate_private_key(65_537, 2_048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_private_key(pem: bytes) -> RSAPrivateKey:
    """Raises ValueError when the text holds no RSA private key."""
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("the private key is no RSA key")  # noqa: TRY004  (a document's fault, not an argument's)
    return key


def public_pem(key: RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def public_jwk(key: RSAPublicKey) -> dict[str, Any]:
    """The key as a member of a JWK set; its id is its thumbprint (RFC 7638), so both sides know it from the key."""
    numbers = RSAAlgorithm.to_jwk(key, as_dict=True)
    required = {name: numbers[name] for name in ("e", "kty", "n")}
    digest = hashlib.sha256(json.dumps(required, separators=(",", ":"), sort_keys=True).encode()).digest()
    thumbprint = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {**required, "use": "sig", "alg": "RS256", "kid": thumbprint}


def jwks_of_pem(text: str) -> bytes:
    """A JWK set of the public keys in a text: one, or two while one takes the other's place.

    Raises:
        ValueError: the text holds something else. A private key is refused: what verifies has no business with it.
    """
    keys: list[dict[str, Any]] = []
    for block in _PEM.findall(text.replace("\\n", "\n")):  # app settings are one line
        key = serialization.load_pem_public_key(block.encode())
        if not isinstance(key, RSAPublicKey):
            raise ValueError("the public key is no RSA key")  # noqa: TRY004  (a document's fault, not an argument's)
        keys.append(public_jwk(key))
    if not keys:
        raise ValueError("the text holds no public key in PEM")
    return json.dumps({"keys": keys}).encode()


def sign_token(
    key: RSAPrivateKey, claims: Mapping[str, Any], *, issuer: str, audience: str, subject: str, lifetime_hours: float
) -> str:
    """A token for `subject` with these claims, valid from now on.

    Raises:
        ValueError: the lifetime is not more than 0 and at most 24 hours.
    """
    if not 0 < lifetime_hours <= LONGEST_LIFETIME_HOURS:
        raise ValueError(f"The lifetime must be more than 0 and at most {LONGEST_LIFETIME_HOURS:g} hours.")
    now = int(time.time())
    standard = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "iat": now,
        "nbf": now,
        "exp": now + max(1, round(lifetime_hours * 3_600)),
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode(
        {**claims, **standard}, key, algorithm="RS256", headers={"kid": public_jwk(key.public_key())["kid"]}
    )
