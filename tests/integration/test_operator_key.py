"""Without an app registration: a key pair whose public half the server reads, from a setting or from Key Vault."""

from __future__ import annotations

import asyncio
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.azure_standins.key_vault import KeyVault
from tests.minimal_settings import minimal_settings
from tests.sample_directory import SampleDirectory, ids
from zava.errors import AuthenticationError, MCPError, ServiceUnavailableError
from zava.platform import mint
from zava.platform.credential import SharedCredential
from zava.platform.jwks import COOLDOWN_SECONDS, FRESH_SECONDS, JwksCache
from zava.platform.operator_key import OperatorKeys
from zava.platform.secret_names import SecretName
from zava.platform.secrets import Secrets
from zava.platform.signing_key import jwks_of_pem, load_private_key, new_private_key, public_pem
from zava.platform.token_verifier import JwtVerifier, TrustedIssuer
from zava.protocol.authentication import Authentication
from zava.services.access import AccessRules

_STORE = "f47ac10b-58cc-4372-a567-0e02b2c3d479"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("operator")
    assert mint.main(["key-pair", str(folder)]) == 0
    return folder


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KeyVault]:
    with KeyVault().running(monkeypatch, tmp_path) as running:
        yield running


def door(keys: JwksCache) -> Authentication:
    issuer = TrustedIssuer("zava-auth", "mcp-server", "")
    return Authentication(JwtVerifier(issuer, keys), AccessRules(SampleDirectory()))


def door_of(**changes: str) -> Authentication:
    configured = minimal_settings(**changes)
    return door(JwksCache(OperatorKeys(Secrets.of(configured, SharedCredential.of(configured)))))


def token(pair: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    private = str(pair / "private_key.pem")
    assert mint.main(["token", "--private-key", private, "--subject", "ada", *arguments]) == 0
    return capsys.readouterr().out.strip()


async def outcome(authentication: Authentication, bearer: str) -> object:
    try:
        return (await authentication.admit({"authorization": f"Bearer {bearer}"})).scope.store_ids
    except MCPError as problem:
        return type(problem)


async def test_a_minted_token_is_admitted_by_the_public_key_in_a_setting(
    pair: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    public = (pair / "public_key.pem").read_text()
    bearer = token(pair, capsys, "--role", "store_manager", "--store", _STORE, "--permission", "sales.read")
    for written in (public, public.replace("\n", "\\n")):
        assert await outcome(door_of(auth_public_key=written), bearer) == ids("seattle")
    other = public_pem(load_private_key(new_private_key())).decode()
    assert await outcome(door_of(auth_public_key=other), bearer) is AuthenticationError
    assert await outcome(door_of(auth_public_key=other + public), bearer) == ids("seattle")


async def test_with_neither_a_setting_nor_a_vault_every_call_is_answered_503(
    pair: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await outcome(door_of(), token(pair, capsys, "--role", "super_admin")) is ServiceUnavailableError


async def test_the_key_is_read_from_the_vault_once_by_the_real_client(
    vault: KeyVault, pair: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault.secrets[SecretName.AUTH_PUBLIC_KEY] = (pair / "public_key.pem").read_text()
    authentication = door(JwksCache(OperatorKeys(vault.secrets_of())))
    bearers = [token(pair, capsys, "--role", "super_admin") for _ in range(20)]
    assert await asyncio.gather(*(outcome(authentication, bearer) for bearer in bearers)) == [ids()] * 20
    assert vault.answers == [200]
    assert {path.rstrip("/") for path, _ in vault.asked} == {"/secrets/auth-public-key"}
    assert len(vault.identity.requests) == 1


async def test_a_vault_that_fails_is_left_alone_while_the_old_key_serves_on(
    vault: KeyVault, pair: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    vault.secrets[SecretName.AUTH_PUBLIC_KEY] = (pair / "public_key.pem").read_text()
    keys = JwksCache(OperatorKeys(vault.secrets_of(lambda: now[0])), clock=lambda: now[0])
    authentication = door(keys)
    assert await outcome(authentication, token(pair, capsys, "--role", "super_admin")) == ids()
    vault.status = 503
    now[0] += FRESH_SECONDS
    assert await outcome(authentication, token(pair, capsys, "--role", "super_admin")) == ids()
    assert keys._reading is not None
    await keys._reading
    vault.asked.clear()
    now[0] += COOLDOWN_SECONDS - 1
    assert await outcome(authentication, token(pair, capsys, "--role", "super_admin")) == ids()
    assert vault.asked == []


def test_a_private_key_is_never_taken_for_a_public_one() -> None:
    for text in (new_private_key().decode(), "", "no key"):
        with pytest.raises(ValueError):
            jwks_of_pem(text)


def test_the_private_key_is_the_operators_alone_and_never_overwritten(
    pair: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if os.name == "posix":
        assert stat.S_IMODE((pair / "private_key.pem").stat().st_mode) == 0o600
    assert mint.main(["key-pair", str(pair)]) == 1
    assert "File exists" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="only there can a process be kept from writing more")
def test_a_key_that_could_not_be_written_whole_is_not_there(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zava.platform.mint", "key-pair", str(tmp_path)]
    limited = f"ulimit -f 0; exec {shlex.join(command)}"
    failed = subprocess.run(["sh", "-c", limited], check=False, capture_output=True, text=True)
    assert (failed.returncode, "File too large" in failed.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--role", "super_admin", "--store", _STORE], "Only a store_manager has stores."),
        (["--role", "store_manager", "--region", "online"], "Only a regional_manager has regions."),
        (["--role", "super_admin", "--lifetime", "25"], "The lifetime must be more than 0 and at most 24 hours."),
    ],
)
def test_a_token_that_makes_no_sense_is_not_made(
    arguments: list[str], reason: str, pair: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    private = str(pair / "private_key.pem")
    assert mint.main(["token", "--private-key", private, "--subject", "ada", *arguments]) == 1
    assert capsys.readouterr() == ("", f"{reason}\n")


def test_without_a_key_the_command_says_where_one_comes_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_KEY_VAULT_URL", raising=False)
    assert mint.main(["token", "--role", "super_admin", "--subject", "ada"]) == 1
    assert capsys.readouterr().err == "Name the key with --private-key, or the vault with AZURE_KEY_VAULT_URL.\n"


@pytest.mark.parametrize("url", ["http://zava.vault.azure.net", "zava", "https://"])
def test_a_vault_without_tls_stops_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="AZURE_KEY_VAULT_URL must start with https"):
        minimal_settings(azure_key_vault_url=url)
