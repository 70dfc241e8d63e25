"""The runbook is run, and the page on access: every `sh` block, section by section, in the operator's shell.

The directory and the app's settings are not there: what Azure would be told of them is compared, not done.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import jwt
import pytest

from tests.azure_standins import openai_service
from tests.deployment import command_standins
from tests.deployment.azure import NEXT_MODEL, PROJECT, Azure, empty_database, provisioned
from tests.integration import replica
from zava.data.tenant_context import SigningKey
from zava.platform.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a second loopback address by itself")

_BLOCK = re.compile(r"^( *)```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def _sections(page: str) -> dict[str, str]:
    """The commands below each heading of a page."""
    sections: dict[str, str] = {}
    for part in (PROJECT / "docs" / page).read_text("utf-8").split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        if blocks := [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in _BLOCK.findall(text)]:
            sections[title] = "\n".join(blocks)
    return sections


_SECTIONS = _sections("operations.md")
_AUTH_SECTIONS = _sections("auth.md")

_OWN_WORDS = {
    "TOKEN_ID": "a-token",
    "ISSUER": "https://issuer.example",
    "SUBJECT": "ada",
    "OLD_MODEL": openai_service.DEPLOYMENT,
    "NEW_MODEL": NEXT_MODEL,
    "NEW_ENV": "another",
    "TENANT": "a-tenant",
    "OBJECT_ID": "ada",
    "OTHER_ID": "bea",
    "GROUP": "rg-zava",
    "NAME": "func-mcp",
    "VAULT": "zavavault",
    "APP": "the-app",
}


class Operator:
    """Somebody at the runbook: a folder to work in, and the commands they have."""

    def __init__(self, azure: Azure, folder: Path) -> None:
        self.azure = azure
        self.folder = folder
        programs = folder / "programs"
        programs.mkdir()
        for name in ("az", "azd", "curl", "uuidgen"):
            (programs / name).write_text(f"#!{sys.executable}\n{Path(command_standins.__file__).read_text('utf-8')}")
            (programs / name).chmod(0o755)
        azd = shutil.which("azd", path=azure.environment["PATH"])
        assert azd is not None
        shutil.copy(azd, folder / "signed-in-azd")
        (folder / "copy").write_text(replica.HOST)
        own = {"PATH", "PYTHONPATH", "ZAVA_TEST_ROUTES", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "TQDM_DISABLE"}
        values = {name: value for name, value in azure.environment.items() if name not in own}
        values |= {
            "AZURE_LOCATION": "westeurope",
            "SERVICE_MCP_NAME": "func-mcp",
            "SERVICE_MCP_ENDPOINT_URL": "https://zava.example/mcp",
        }
        (folder / "values.json").write_text(json.dumps(values))
        (folder / "scripts").symlink_to(PROJECT / "scripts")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("POSTGRES_")},
            **{name: azure.environment[name] for name in own},
            **_OWN_WORDS,
            "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ZAVA_TEST_COMMANDS": str(folder),
            "AZURE_ENV_NAME": azure.environment["AZURE_ENV_NAME"],
        }

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "scripts/operate.py", *command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def types(self, commands: str) -> str:
        """What the commands say in the shell that was opened."""
        shell = self.start("bash", "-euo", "pipefail", "-c", commands)
        output, messages = shell.communicate(timeout=100)
        assert shell.returncode == 0, output + messages
        assert self.azure.manager.rules == {}, "closed again"
        return output

    def calls(self) -> list[str]:
        """What Azure was told since the last time."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines


@pytest.fixture(scope="module")
async def operator() -> AsyncIterator[Operator]:
    # Not pytest's own folder: as root the server runs as nobody, who could not reach it there.
    with tempfile.TemporaryDirectory(prefix="zava-operator-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        with provisioned(folder) as azure:
            await empty_database(azure)
            hook = azure.hook()
            output, messages = hook.communicate(timeout=100)
            assert hook.returncode == 0, output + messages
            (folder / "work").mkdir()
            yield Operator(azure, folder / "work")


def _signing_key(operator: Operator) -> SigningKey:
    return SigningKey.parse(operator.azure.vault.secrets["tenant-signing-key"])


def test_the_shell_is_opened(operator: Operator) -> None:
    assert "python scripts/operate.py bash\n" in _SECTIONS["Get in"]
    assert operator.types("azd env select x; python -m zava.data.rotate_key list") == "key1  accepted without end\n"
    assert operator.calls() == ["azd env select x"]


def _restored(operator: Operator, run: Callable[[], str]) -> None:
    with replica.running(operator.azure.server, follows=False):
        said = run()
    assert said.count("The copy is complete and keeps tenants apart.") == 2
    restore, show, choose, provision, ask = operator.calls()
    assert re.fullmatch(
        r"az postgres flexible-server restore --resource-group rg-zava --name psql-zava-\d{8} "
        r"--source-server psql-zava --restore-time \d{4}-\d\d-\d\dT\d\d:\d\d:00Z --output none",
        restore,
    )
    copy = restore.split()[7]
    assert f"--name {copy} " in show
    assert (choose, provision) == (f"azd env set DATABASE_SERVER {copy}", "azd provision")
    assert ask == "curl -s --fail https://zava.example/health/ready"


def _rotated(operator: Operator, run: Callable[[], str]) -> None:
    before = _signing_key(operator)
    said = run().splitlines()
    assert said[:2] == ["key1  accepted without end", "key2  accepted without end"]
    assert said[2].startswith("key1 is accepted until ")
    assert (_signing_key(operator).key_id, _signing_key(operator).secret != before.secret) == ("key2", True)


def _cache_key_replaced(operator: Operator, run: Callable[[], str]) -> None:
    before = operator.azure.vault.secrets["cache-encryption-key"]
    run()
    new, old = operator.azure.vault.secrets["cache-encryption-key"].split(",")
    assert (old, new != old, len(new)) == (before, True, 44)


def _revoked(_operator: Operator, run: Callable[[], str]) -> None:
    said = run()
    assert "token a-token  (forgotten " in said
    assert "subject https://issuer.example  ada  issued up to " in said
    assert re.search("^[0-9a-f]{32}$", said, re.MULTILINE)


def _granted(_operator: Operator, run: Callable[[], str]) -> None:
    seattle = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
    assert run().splitlines()[-1] == f"https://issuer.example  ada  {seattle}"


def _model_replaced(_operator: Operator, run: Callable[[], str]) -> None:
    said = run()
    assert f"Search uses {NEXT_MODEL}\n" in said
    assert f"* {NEXT_MODEL}  520 vectors, no index\n" in said
    assert said.endswith("520 vectors deleted\n")


def _scaled(operator: Operator, run: Callable[[], str]) -> None:
    run()
    assert operator.calls() == ["azd provision"]


def _moved(operator: Operator, run: Callable[[], str]) -> None:
    run()
    calls = operator.calls()
    assert calls[0] == "az group create --name rg-another --location westeurope --output none"
    assert "--source-server /subscriptions/one/" in calls[2]
    assert calls[-1] == "azd up --environment another"


def _operator_key_replaced(operator: Operator, run: Callable[[], str]) -> None:
    run()
    assert operator.azure.vault.secrets["auth-public-key"].startswith("-----BEGIN PUBLIC KEY-----")
    assert operator.calls() == ["az functionapp restart --resource-group rg-zava --name func-mcp"]


def _stores_given(_operator: Operator, run: Callable[[], str]) -> None:
    issuer = "https://login.microsoftonline.com/a-tenant/v2.0"
    assert run().splitlines()[-2:] == [
        f"{issuer}  a-tenant:ada  f47ac10b-58cc-4372-a567-0e02b2c3d479",
        f"{issuer}  a-tenant:bea  puget-sound",
    ]


def _registered(operator: Operator, run: Callable[[], str]) -> None:
    run()
    calls = operator.calls()
    registration, clients, assigned = (
        json.loads(found[1]) for call in calls if (found := re.search(r"--body (\{.*\})$", call))
    )
    address = "https://zava.example.com/mcp"
    assert registration["identifierUris"] == [address, "api://the-appId-of-app"]
    assert registration["api"]["requestedAccessTokenVersion"] == 2
    (scope,) = registration["api"]["oauth2PermissionScopes"]
    assert scope["value"] == "mcp.access"
    assert {role["value"] for role in registration["appRoles"]} == {"super_admin", "regional_manager", "store_manager"}
    assert len({scope["id"], *(role["id"] for role in registration["appRoles"])}) == 4
    (client,) = clients["api"]["preAuthorizedApplications"]
    assert client["delegatedPermissionIds"] == [scope["id"]]
    assert assigned == {"principalId": "the-id-of-user", "resourceId": "the-id-of-sp", "appRoleId": "the-id-of-app"}
    told = dict(pair.split("=", 1) for pair in calls[-1].partition("--settings ")[2].split())
    assert told == {
        "AUTH_ENTRA_TENANT_ID": "the-tenantId-of-show",
        "AUTH_ENTRA_CLIENT_ID": "the-appId-of-app",
        "PUBLIC_BASE_URL": "https://zava.example.com",
        "AUTH_SCOPES": f"{address}/mcp.access",
    }
    assert {name.lower() for name in told} <= set(Settings.model_fields)


def _platform_lets_pass(operator: Operator, run: Callable[[], str]) -> None:
    run()
    extension, on, microsoft = operator.calls()
    assert extension == "az extension add --name authV2"
    assert on.endswith("--enabled true --action AllowAnonymous")
    assert microsoft.endswith(
        "--client-id the-app --issuer https://login.microsoftonline.com/a-tenant/v2.0 --allowed-token-audiences the-app"
    )


def _operator_mints(operator: Operator, run: Callable[[], str]) -> None:
    token = run().splitlines()[-1]
    claims = jwt.decode(
        token, operator.azure.vault.secrets["auth-public-key"], ["RS256"], audience="mcp-server", issuer="zava-auth"
    )
    assert (claims["sub"], claims["roles"], claims["exp"] - claims["iat"]) == ("ada", ["store_manager"], 8 * 3600)
    (told,) = operator.calls()
    assert told.endswith("--settings AZURE_KEY_VAULT_URL=https://zavavault.vault.azure.net")


def _ended(_operator: Operator, run: Callable[[], str]) -> None:
    said = run()
    assert "token a-token  (forgotten " in said
    assert "a-tenant:ada  issued up to " in said


_SHOWN: dict[str, Callable[[Operator, Callable[[], str]], None]] = {
    "Restore": _restored,
    "Rotate the signing key": _rotated,
    "Rotate the other secrets": _cache_key_replaced,
    "Revoke": _revoked,
    "Grant": _granted,
    "Replace the embedding model": _model_replaced,
    "Scale": _scaled,
    "Move to the other profile": _moved,
    "Incidents": _operator_key_replaced,
}


_AUTH_SHOWN: dict[str, Callable[[Operator, Callable[[], str]], None]] = {
    "Grants": _stores_given,
    "Entra ID": _registered,
    "App Service authentication in front": _platform_lets_pass,
    "No issuer: an operator's key pair": _operator_mints,
    "Revocation": _ended,
}


@pytest.mark.parametrize("section", _SHOWN)
def test_the_section_does_what_it_says(operator: Operator, section: str) -> None:
    _SHOWN[section](operator, lambda: operator.types(_SECTIONS[section]))


@pytest.mark.parametrize("section", _AUTH_SHOWN)
def test_the_section_on_access_does_what_it_says(operator: Operator, section: str) -> None:
    _AUTH_SHOWN[section](operator, lambda: operator.types(_AUTH_SECTIONS[section]))


def test_every_section_with_commands_is_run() -> None:
    assert set(_SECTIONS) == {"Get in", *_SHOWN}
    # A laptop's tokens are those of tests/e2e/test_make_run.py.
    assert set(_AUTH_SECTIONS) == {"The laptop", *_AUTH_SHOWN}


def test_a_command_that_fails_gives_its_code_and_the_database_is_closed(operator: Operator) -> None:
    process = operator.start("python", "-m", "zava.data.rotate_key", "retire", "nosuch")
    output, messages = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")
    assert "there is no key nosuch" in messages
    assert operator.azure.manager.rules == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_shell_that_is_ended_from_outside_leaves_nothing_open(operator: Operator, number: signal.Signals) -> None:
    process = operator.start("bash", "-c", "echo begun; exec sleep 60")
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    assert set(operator.azure.manager.rules) == {"zava-operator"}
    process.send_signal(number)
    process.communicate(timeout=30)
    assert (process.returncode, operator.azure.manager.rules) == (128 + number, {})


def test_ctrl_c_is_the_commands(operator: Operator) -> None:
    process = operator.start("bash", "-c", "trap 'echo heard; exit 0' INT; echo begun; while :; do sleep 0.1; done")
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    # A terminal sends it to both.
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
    process.send_signal(signal.SIGINT)
    os.kill(int(children.stdout.split()[0]), signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (0, "heard\n")
    assert operator.azure.manager.rules == {}


def test_without_azd_one_sentence_says_so(operator: Operator) -> None:
    environment = operator.environment | {"PATH": str(operator.folder)}
    done = subprocess.run(
        [sys.executable, "scripts/operate.py", "true"],
        cwd=operator.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("azd env get-values failed: ")
    assert "Traceback" not in done.stderr
