"""Key Vault or the identity endpoint is away: every wait is bounded, every answer clean, and both are found again."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.azure_standins.key_vault import KeyVault
from zava.errors import ServiceUnavailableError
from zava.platform.secret_names import SecretName
from zava.platform.secret_source import DEADLINE_SECONDS, OPEN_SECONDS

KEY = SecretName.TENANT_SIGNING_KEY


@pytest.fixture(scope="module", autouse=True)
def _clients_are_imported() -> None:
    """They are large: what is timed here is waiting, not reading them."""
    for name in ("azure.identity", "azure.keyvault.secrets"):
        importlib.import_module(name)


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KeyVault]:
    with KeyVault().running(monkeypatch, tmp_path) as running:
        running.secrets[KEY] = "value"
        yield running


def _refuses(vault: KeyVault) -> None:
    vault.go_away()


def _is_unavailable(vault: KeyVault) -> None:
    vault.status = 503


def _throttles(vault: KeyVault) -> None:
    vault.status = 429  # with Retry-After: 60


def _hangs(vault: KeyVault) -> None:
    vault.hangs = True


def _identity_fails(vault: KeyVault) -> None:
    vault.identity.status = 500


def _identity_hangs(vault: KeyVault) -> None:
    vault.identity.hangs = True


def _mended(vault: KeyVault) -> None:
    vault.come_back()
    vault.status = None
    vault.identity.status = 200
    vault.hangs = vault.identity.hangs = False


@pytest.mark.parametrize(
    ("breaks", "seconds"),
    [
        pytest.param(_refuses, 1.5, id="connections refused"),
        pytest.param(_is_unavailable, 1.5, id="503"),
        pytest.param(_throttles, 1.5, id="429, Retry-After 60"),
        pytest.param(_hangs, DEADLINE_SECONDS + 0.5, id="the vault hangs"),
        pytest.param(_identity_fails, 1.5, id="the identity endpoint fails"),
        pytest.param(_identity_hangs, DEADLINE_SECONDS + 0.5, id="the identity endpoint hangs"),
    ],
)
async def test_an_outage_costs_a_bounded_wait_and_then_none(
    breaks: Callable[[KeyVault], None], seconds: float, vault: KeyVault
) -> None:
    now = time.monotonic()
    skipped = 0.0
    secrets = vault.secrets_of(lambda: now + skipped)  # stands still, so that only this test ends an open circuit
    breaks(vault)
    waits: list[float] = []
    for _ in range(3):
        started = time.monotonic()
        answers = await asyncio.gather(*(secrets.get(KEY) for _ in range(20)), return_exceptions=True)
        waits.append(time.monotonic() - started)
        assert {(type(answer), str(answer)[:50]) for answer in answers} == {
            (ServiceUnavailableError, "The vault did not give the secret tenant-signing-k")
        }
        assert all(answer.retryable for answer in answers if isinstance(answer, ServiceUnavailableError))
    assert max(waits) < seconds
    assert waits[2] < 0.2, "the circuit is open, nobody waits"

    _mended(vault)
    skipped = OPEN_SECONDS  # by then what failed at the identity endpoint is forgotten, too
    assert await secrets.get(KEY) == "value"
