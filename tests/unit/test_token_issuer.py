"""The laptop's issuer: what its command prints, that its tokens verify, and that its key stays where it is."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.sample_directory import SampleDirectory, ids
from zava.local import data_folder
from zava.local.token_issuer import LocalIssuer, TokenIssuerError, main
from zava.platform.jwks import JwksCache
from zava.platform.token_verifier import JwtVerifier, TrustedIssuer
from zava.platform.whole_file import write_whole
from zava.protocol.authentication import Authentication
from zava.services.access import AccessRules


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "a data folder"


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


@pytest.mark.parametrize(
    ("arguments", "stores"),
    [
        pytest.param({"role": "super_admin"}, ids(), id="head office"),
        pytest.param({"role": "regional_manager", "regions": ["eastern-washington"]}, ids("spokane"), id="a region"),
        pytest.param(
            {"role": "store_manager", "stores": ["seattle", "tacoma"]}, ids("seattle", "tacoma"), id="two stores"
        ),
    ],
)
async def test_its_tokens_are_let_in_by_the_real_verifier(data: Path, arguments: dict[str, Any], stores: Any) -> None:
    issuer = LocalIssuer(data)
    trusted = TrustedIssuer("zava-auth", "mcp-server", issuer.jwks_uri)
    door = Authentication(JwtVerifier(trusted, JwksCache(issuer.jwks_uri)), AccessRules(SampleDirectory()))
    caller = await door.admit({"authorization": f"Bearer {issuer.mint(**arguments)}"})
    assert caller.scope.store_ids == stores


def test_a_token_says_no_more_than_its_role_needs(data: Path) -> None:
    before = int(time.time())
    token = LocalIssuer(data).mint(
        "store_manager", stores=["seattle"], permissions=["sales.read"], lifetime=1, subject="ada"
    )
    claims = claims_of(token)
    assert before <= claims["iat"] <= time.time()
    assert claims == {
        "iss": "zava-auth",
        "aud": "mcp-server",
        "sub": "ada",
        "roles": ["store_manager"],
        "allowed_stores": ["f47ac10b-58cc-4372-a567-0e02b2c3d479"],
        "permissions": ["sales.read"],
        "iat": claims["iat"],
        "nbf": claims["iat"],
        "exp": claims["iat"] + 3_600,
        "jti": claims["jti"],
    }


def test_two_tokens_differ_and_last_twelve_hours(data: Path) -> None:
    issuer = LocalIssuer(data)
    first, second = claims_of(issuer.mint("super_admin")), claims_of(issuer.mint("super_admin"))
    assert first["jti"] != second["jti"]
    assert first["exp"] - first["iat"] == 12 * 3_600
    assert first["sub"] == second["sub"] == "local-super_admin"


def test_the_private_key_is_made_once_and_only_its_owner_reads_it(data: Path) -> None:
    LocalIssuer(data)
    key = data / "issuer" / "private_key.pem"
    made = key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    LocalIssuer(data)
    assert key.read_bytes() == made
    assert sorted(file.name for file in key.parent.iterdir()) == ["jwks.json", "private_key.pem"]


def test_only_the_public_half_is_published(data: Path) -> None:
    LocalIssuer(data)
    (jwk,) = json.loads((data / "issuer" / "jwks.json").read_text())["keys"]
    assert set(jwk) == {"kty", "n", "e", "use", "alg", "kid"}


def test_first_starts_at_the_same_time_share_one_key(data: Path) -> None:
    data_folder.mark(data)
    with ThreadPoolExecutor(4) as pool:
        issuers = list(pool.map(LocalIssuer, [data] * 4))
    assert len({jwt.get_unverified_header(issuer.mint("super_admin"))["kid"] for issuer in issuers}) == 1


def test_the_address_of_the_keys_holds_no_space(data: Path) -> None:
    assert LocalIssuer(data).jwks_uri.endswith("/a%20data%20folder/issuer/jwks.json")


def test_a_file_that_must_be_kept_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    write_whole(file, b"first", 0o600, keep=True)
    write_whole(file, b"second", 0o600, keep=True)
    assert file.read_bytes() == b"first"
    write_whole(file, b"third", 0o600)
    assert file.read_bytes() == b"third"
    assert list(tmp_path.iterdir()) == [file]


class TestCommand:
    def test_it_prints_a_token_and_nothing_else(self, data: Path) -> None:
        # The very command of `make token`, which passes empty texts for what is not given.
        command = [sys.executable, "-m", "zava.local.token_issuer", "--data", str(data), "--role", "store_manager"]
        done = subprocess.run(
            [*command, "--store", "seattle", "--region", ""], capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        token = done.stdout.removesuffix("\n")
        assert "\n" not in token
        assert claims_of(token)["allowed_stores"] == ["f47ac10b-58cc-4372-a567-0e02b2c3d479"]

    def test_empty_options_are_as_if_not_given(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        empty = ["--store", "", "--region", "", "--permissions", "", "--lifetime", "", "--subject", ""]
        assert main(["--data", str(data), "--role", "super_admin", *empty]) == 0
        claims = claims_of(capsys.readouterr().out.strip())
        assert not {"allowed_stores", "allowed_regions", "permissions"} & claims.keys()

    def test_lists_may_hold_spaces_and_capitals(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        options = ["--role", "regional_manager", "--region", " Online , puget-sound,", "--permissions", "Products.read"]
        assert main(["--data", str(data), *options, "--lifetime", "0.5", "--subject", "ada"]) == 0
        claims = claims_of(capsys.readouterr().out.strip())
        assert (claims["allowed_regions"], claims["permissions"]) == (["online", "puget-sound"], ["products.read"])
        assert (claims["exp"] - claims["iat"], claims["sub"]) == (1_800, "ada")

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ([], "The role must be one of super_admin, regional_manager, store_manager."),
            (["--role", "root"], "The role must be one of super_admin, regional_manager, store_manager."),
            (
                ["--role", "store_manager", "--store", ""],
                "Name at least one store: seattle, bellevue, tacoma, spokane, everett, redmond, kirkland, online.",
            ),
            (
                ["--role", "store_manager", "--store", "seattle,paris"],
                "There is no store 'paris': choose from "
                "seattle, bellevue, tacoma, spokane, everett, redmond, kirkland, online.",
            ),
            (["--role", "regional_manager"], "Name at least one region: puget-sound, eastern-washington, online."),
            (
                ["--role", "regional_manager", "--region", "oregon"],
                "There is no region 'oregon': choose from puget-sound, eastern-washington, online.",
            ),
            (["--role", "super_admin", "--store", "seattle"], "Only a store_manager has stores: leave the store out."),
            (
                ["--role", "store_manager", "--store", "seattle", "--region", "online"],
                "Only a regional_manager has regions: leave the region out.",
            ),
            (
                ["--role", "super_admin", "--permissions", "sales.write"],
                "There is no permission 'sales.write': choose from products.read, sales.read.",
            ),
            (["--role", "super_admin", "--lifetime", "25"], "The lifetime must be more than 0 and at most 24 hours."),
            (["--role", "super_admin", "--lifetime", "0"], "The lifetime must be more than 0 and at most 24 hours."),
            (["--role", "super_admin", "--lifetime", "nan"], "The lifetime must be more than 0 and at most 24 hours."),
            (["--role", "super_admin", "--lifetime", "long"], "Argument --lifetime: 'long' is no number of hours."),
            (["--role"], "Argument --role: expected one argument."),
            (["--rol", "super_admin"], "Unrecognized arguments: --rol super_admin."),
        ],
        ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
    )
    def test_a_mistake_gets_one_sentence(
        self, data: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
    ) -> None:
        assert main(["--data", str(data), *options]) == 2
        assert capsys.readouterr() == ("", f"{sentence}\n")

    def test_a_folder_of_something_else_is_left_alone(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "thesis.txt").touch()
        assert main(["--data", str(tmp_path), "--role", "super_admin"]) == 2
        assert "already holds other files" in capsys.readouterr().err
        assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]

    def test_a_key_file_that_is_none_gets_a_sentence(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        LocalIssuer(data)
        (data / "issuer" / "private_key.pem").write_bytes(b"")
        assert main(["--data", str(data), "--role", "super_admin"]) == 2
        assert capsys.readouterr().err.endswith(
            "private_key.pem holds no private key any more: delete it, and a new one is made.\n"
        )

    @pytest.mark.parametrize("variable", ["WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME"])
    def test_it_does_not_run_on_azure(
        self, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        monkeypatch.setenv(variable, "abc")
        assert main(["--data", str(data), "--role", "super_admin"]) == 2
        assert "does not run on Azure" in capsys.readouterr().err
        assert not data.exists()
        with pytest.raises(TokenIssuerError):
            LocalIssuer(data)
