"""Which of the keys that an issuer publishes may verify a token."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import RSAAlgorithm

from tests.loopback_issuer import private_key, public_jwk
from zava.platform.jwks import usable_keys


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"kty": "EC"}, id="another key type"),
        pytest.param({"use": "enc"}, id="for encryption"),
        pytest.param({"alg": "RS512"}, id="for RS512"),
        pytest.param({"alg": "PS256"}, id="for PS256"),
        pytest.param({"alg": "HS256", "kty": "oct", "k": "c2VjcmV0"}, id="symmetric"),
        pytest.param({"kid": None}, id="no key id"),
        pytest.param({"kid": 7}, id="key id that is no text"),
        pytest.param({"n": "AQAB"}, id="tiny modulus"),
        pytest.param({"n": 5}, id="modulus that is no text"),
        pytest.param({"e": ""}, id="no exponent"),
        pytest.param(
            {"n": RSAAlgorithm.to_jwk(generate_private_key(65_537, 1_024).public_key(), as_dict=True)["n"]},
            id="1024 bits",
        ),
        pytest.param(RSAAlgorithm.to_jwk(private_key(9), as_dict=True), id="published with its private half"),
    ],
)
def test_a_key_that_must_not_verify_rs256_is_skipped(change: dict[str, Any]) -> None:
    good, bad = public_jwk(private_key(1), "good"), public_jwk(private_key(2), "bad") | change
    assert list(usable_keys(json.dumps({"keys": [bad, good]}).encode())) == ["good"]


@pytest.mark.parametrize("change", [{}, {"alg": "RS256"}, {"use": None}], ids=["as Entra ID", "alg", "no use"])
def test_a_key_for_signatures_is_taken(change: dict[str, Any]) -> None:
    assert list(usable_keys(json.dumps({"keys": [public_jwk(private_key(1), "good") | change]}).encode())) == ["good"]
