"""Secrets: from a setting or from the vault, read once for everybody, renewed while the old value serves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.azure_standins.key_vault import URL, KeyVault
from tests.clock import Clock
from zava.data.context_signers import SecretSigners
from zava.data.tenant_context import SigningKey
from zava.errors import ServiceUnavailableError
from zava.platform.secret_names import SecretName
from zava.platform.secret_source import SecretMissingError
from zava.platform.secrets import FRESH_SECONDS, MISSING_SECONDS, REFUSED_SECONDS, STALE_SECONDS, Secrets
from zava.platform.settings import Settings

KEY = SecretName.TENANT_SIGNING_KEY


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KeyVault]:
    with KeyVault().running(monkeypatch, tmp_path) as running:
        yield running


async def renewed(secrets: Secrets) -> None:
    """Wait for what is read in the background."""
    await asyncio.gather(*(kept.reading for kept in secrets._kept.values() if kept.reading is not None))


async def test_forty_reads_of_four_secrets_are_four_requests_and_one_token(vault: KeyVault) -> None:
    names = list(SecretName)[:4]
    vault.secrets.update({name: f"value of {name}" for name in names})
    secrets = vault.secrets_of()
    assert await asyncio.gather(*(secrets.get(names[number % 4]) for number in range(40))) == [
        f"value of {names[number % 4]}" for number in range(40)
    ]
    assert vault.answers == [200] * 4
    assert len(vault.identity.requests) == 1


async def test_a_setting_wins_and_the_vault_is_not_asked(vault: KeyVault) -> None:
    vault.secrets[KEY] = "the vault's"
    settings = Settings.model_validate(
        {
            "postgres_host": "127.0.0.1",
            "postgres_auth": "password",
            "tenant_signing_key": f"k1:{'a' * 64}",
            "azure_key_vault_url": URL,
        }
    )
    assert {name: value for name, value in settings.secrets().items() if value} == {KEY: f"k1:{'a' * 64}"}
    secrets = Secrets(settings.secrets(), vault.secrets_of()._vault)
    assert await secrets.get(KEY, refused=f"k1:{'a' * 64}") == f"k1:{'a' * 64}"
    assert vault.asked == []


async def test_without_a_setting_and_a_vault_the_error_says_what_to_set() -> None:
    with pytest.raises(SecretMissingError) as caught:
        await Secrets({KEY: ""}).get(KEY)
    assert caught.value.as_dict() == {
        "code": "SERVICE_UNAVAILABLE",
        "message": "The secret tenant-signing-key is not configured",
        "hint": "Set TENANT_SIGNING_KEY.",
    }


async def test_an_old_value_serves_while_a_new_one_is_read(vault: KeyVault) -> None:
    clock = Clock(1_000.0)
    secrets = vault.secrets_of(clock)
    vault.secrets[KEY] = "old"
    assert await secrets.get(KEY) == "old"
    vault.secrets[KEY] = "new"
    clock.now += FRESH_SECONDS - 1
    assert await secrets.get(KEY) == "old"
    assert vault.answers == [200]
    clock.now += 1
    assert await asyncio.gather(*(secrets.get(KEY) for _ in range(10))) == ["old"] * 10
    await renewed(secrets)
    assert await secrets.get(KEY) == "new"
    assert vault.answers == [200] * 2


async def test_a_refused_value_is_read_anew_at_once_but_not_more_than_once_in_two_seconds(vault: KeyVault) -> None:
    clock = Clock(1_000.0)
    secrets = vault.secrets_of(clock)
    vault.secrets[KEY] = "first"
    assert await secrets.get(KEY) == "first"
    vault.secrets[KEY] = "second"
    assert await asyncio.gather(*(secrets.get(KEY, refused="first") for _ in range(10))) == ["second"] * 10
    assert vault.answers == [200] * 2
    vault.secrets[KEY] = "third"
    assert await secrets.get(KEY, refused="second") == "second"
    assert await secrets.get(KEY, refused="first") == "second"
    assert vault.answers == [200] * 2
    clock.now += REFUSED_SECONDS
    assert await secrets.get(KEY, refused="second") == "third"


async def test_a_malformed_signing_key_is_read_anew_as_soon_as_a_refused_one(vault: KeyVault) -> None:
    clock = Clock(1_000.0)
    signers = SecretSigners(vault.secrets_of(clock))
    vault.secrets[KEY] = "not a key"
    for _ in range(3):
        with pytest.raises(ServiceUnavailableError, match="malformed"):
            await signers.current()
    assert vault.answers == [200] * 2
    vault.secrets[KEY] = SigningKey.generate("k1").text()
    clock.now += REFUSED_SECONDS
    assert await signers.current() is await signers.current()
    assert vault.answers == [200] * 3


async def test_while_the_vault_is_away_the_old_value_serves_for_a_day(vault: KeyVault) -> None:
    clock = Clock(1_000.0)
    secrets = vault.secrets_of(clock)
    vault.secrets[KEY] = "kept"
    await secrets.get(KEY)
    vault.status = 503
    clock.now += FRESH_SECONDS
    for _ in range(20):
        assert await secrets.get(KEY) == "kept"
        await renewed(secrets)
    assert vault.answers == [200, 503, 503, 503]
    clock.now += REFUSED_SECONDS
    assert await secrets.get(KEY, refused="kept") == "kept"
    clock.now += STALE_SECONDS
    with pytest.raises(ServiceUnavailableError, match="did not give the secret tenant-signing-key"):
        await secrets.get(KEY)
    vault.status = None
    clock.now += 5
    assert await secrets.get(KEY) == "kept"


async def test_a_secret_the_vault_does_not_have_is_asked_for_once_a_minute(vault: KeyVault) -> None:
    clock = Clock(1_000.0)
    secrets = vault.secrets_of(clock)
    for _ in range(5):
        with pytest.raises(SecretMissingError, match="The vault has no secret redis-url"):
            await secrets.get(SecretName.REDIS_URL)
    assert vault.answers == [404]
    vault.secrets[SecretName.REDIS_URL] = "rediss://cache"
    clock.now += MISSING_SECONDS
    assert await secrets.get(SecretName.REDIS_URL) == "rediss://cache"


async def test_a_caller_that_gives_up_does_not_stop_the_others(vault: KeyVault) -> None:
    secrets = vault.secrets_of()
    vault.secrets[KEY] = "value"
    vault.hangs = True
    impatient = asyncio.ensure_future(secrets.get(KEY))
    patient = asyncio.ensure_future(secrets.get(KEY))
    while not secrets._kept:
        await asyncio.sleep(0)
    impatient.cancel()
    vault.hangs = False
    assert await patient == "value"
    assert impatient.cancelled()


def test_secrets_survive_a_change_of_the_event_loop(vault: KeyVault) -> None:
    secrets = vault.secrets_of()
    vault.secrets[KEY] = "value"
    assert [asyncio.run(secrets.get(KEY)), asyncio.run(secrets.get(KEY))] == ["value"] * 2
    assert vault.answers == [200]


async def test_no_two_callers_are_given_one_error(vault: KeyVault) -> None:
    vault.status = 403
    secrets = vault.secrets_of()
    failures = await asyncio.gather(*(secrets.get(KEY) for _ in range(2)), return_exceptions=True)
    assert [str(failure) for failure in failures] == [
        "The vault refused the secret tenant-signing-key with status 403"
    ] * 2
    assert failures[0] is not failures[1]
