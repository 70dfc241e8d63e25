"""The signed tenant context: its one format, and keys that do not show themselves."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

import pytest

from zava.data.tenant_context import ContextSigner, SigningKey, TenantScope

SUBJECT = "0f" * 32
ONE, TWO = UUID(int=1), UUID(int=2)


def test_a_context_has_exactly_the_documented_format() -> None:
    key = SigningKey("k1", b"\x01" * 32)
    text = ContextSigner(key, clock=lambda: 1_800_000_000.9).sign(TenantScope(frozenset({TWO, ONE}), SUBJECT))
    message = f"k1|1800000060|{SUBJECT}|{ONE},{TWO}"
    assert text == f"{message}|{hmac.new(key.secret, message.encode(), hashlib.sha256).hexdigest()}"


def test_the_pads_make_the_same_hmac_without_the_key() -> None:
    key = SigningKey.generate("k2")
    inner, outer = key.pads()
    by_pads = hashlib.sha256(outer + hashlib.sha256(inner + b"message").digest()).digest()
    assert by_pads == hmac.digest(key.secret, b"message", "sha256")


def test_a_key_survives_its_text_and_hides_its_secret() -> None:
    key = SigningKey.generate("local1")
    assert SigningKey.parse(key.text()) == key
    assert key.secret.hex() not in repr(key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "k1",
        "k1:",
        "k1:zz",
        f":{'00' * 32}",
        f"K1:{'00' * 32}",
        f"k|1:{'00' * 32}",
        f"{'k' * 17}:{'00' * 32}",
        "k1:00",
    ],
)
def test_a_malformed_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"key|hexadecimal"):
        SigningKey.parse(text)


def test_a_scope_without_a_store_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at least one store"):
        TenantScope(frozenset(), SUBJECT)


@pytest.mark.parametrize("subject", ["", "someone@example.com", "0F" * 32, "0f" * 31, "0f" * 33])
def test_a_scope_whose_subject_is_no_hash_cannot_be_made(subject: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        TenantScope(frozenset({ONE}), subject)
