"""Tenant contexts that the database must not believe, each made as somebody without the key would try it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tests.security.planted import RETIRED_KEY, SECOND_KEY
from zava.data.tenant_context import ContextSigner, SigningKey, TenantScope
from zava.local.stores import STORES

EVERY_STORE = TenantScope(frozenset(store.store_id for store in STORES), "ab" * 32)
Forge = Callable[[SigningKey, TenantScope], str]


def _signed(key: SigningKey, scope: TenantScope, ahead: float = 0) -> str:
    return ContextSigner(key, lambda: time.time() + ahead).sign(scope)


def _edited(key: SigningKey, scope: TenantScope, field: int, value: str) -> str:
    """A valid context of `scope` in which one field was exchanged and the signature kept."""
    fields = _signed(key, scope).split("|")
    fields[field] = value
    return "|".join(fields)


def _wrong_key(key: SigningKey, _scope: TenantScope) -> str:
    return _signed(SigningKey.generate(key.key_id), EVERY_STORE)


def _unknown_key(_key: SigningKey, _scope: TenantScope) -> str:
    return _signed(SigningKey.generate("unknown1"), EVERY_STORE)


def _retired_key(_key: SigningKey, _scope: TenantScope) -> str:
    return _signed(RETIRED_KEY, EVERY_STORE)


def _zero_key(key: SigningKey, _scope: TenantScope) -> str:
    return _signed(SigningKey(key.key_id, bytes(32)), EVERY_STORE)


def _altered_scope(key: SigningKey, scope: TenantScope) -> str:
    return _edited(key, scope, 3, ",".join(sorted(str(store_id) for store_id in EVERY_STORE.store_ids)))


def _altered_subject(key: SigningKey, _scope: TenantScope) -> str:
    return _edited(key, EVERY_STORE, 2, "0" * 64)


def _extended_expiry(key: SigningKey, _scope: TenantScope) -> str:
    return _edited(key, EVERY_STORE, 1, str(int(time.time()) + 110))


def _expired(key: SigningKey, _scope: TenantScope) -> str:
    return _signed(key, EVERY_STORE, ahead=-61)


def _for_ever(key: SigningKey, _scope: TenantScope) -> str:
    return _signed(key, EVERY_STORE, ahead=365 * 86_400)


def _other_key_id(key: SigningKey, _scope: TenantScope) -> str:
    """Another tenant's valid context, replayed as if the second accepted key had signed it."""
    return _edited(key, EVERY_STORE, 0, SECOND_KEY.key_id)


def _no_signature(key: SigningKey, _scope: TenantScope) -> str:
    return _signed(key, EVERY_STORE).rpartition("|")[0]


def _half_a_signature(key: SigningKey, _scope: TenantScope) -> str:
    return _signed(key, EVERY_STORE)[:-32]


def _signature_in_upper_case(key: SigningKey, _scope: TenantScope) -> str:
    head, _, signature = _signed(key, EVERY_STORE).rpartition("|")
    return f"{head}|{'A' + signature[1:].upper()}"


def _two_in_one(key: SigningKey, scope: TenantScope) -> str:
    return f"{_signed(SigningKey.generate(key.key_id), EVERY_STORE)}\n{_signed(key, scope)}"


def _a_line_more(key: SigningKey, _scope: TenantScope) -> str:
    return _signed(key, EVERY_STORE) + "\n"


def _zero_store(key: SigningKey, scope: TenantScope) -> str:
    return _edited(key, scope, 3, "00000000-0000-0000-0000-000000000000")


FORGERIES: Mapping[str, Forge] = MappingProxyType(
    {
        "nothing": lambda _key, _scope: "",
        "garbage": lambda _key, _scope: "' OR true --",
        "only bars": lambda _key, _scope: "||||",
        "very long": lambda _key, _scope: "a" * 100_000,
        "a store's id": lambda _key, _scope: str(STORES[1].store_id),
        "wrong key": _wrong_key,
        "unknown key": _unknown_key,
        "retired key": _retired_key,
        "key of zeros": _zero_key,
        "altered scope": _altered_scope,
        "altered subject": _altered_subject,
        "extended expiry": _extended_expiry,
        "expired": _expired,
        "valid for a year": _for_ever,
        "under another key id": _other_key_id,
        "no signature": _no_signature,
        "half a signature": _half_a_signature,
        "signature in upper case": _signature_in_upper_case,
        "two in one": _two_in_one,
        "a line more": _a_line_more,
        "store of zeros": _zero_store,
    }
)
