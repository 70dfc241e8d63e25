"""The package as azd makes it: what it holds, and that it answers with the settings that the Bicep gives."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path

import httpx2
import pytest

from tests.azure_standins import postgres_gateway
from tests.azure_standins.postgres_gateway import PostgresGateway
from tests.deployment import package
from tests.deployment.azure import PROJECT, Azure, empty_database, provisioned
from tests.infra.deployments import deployment
from tests.infra.rules import app_settings

_READER_TOKEN = "a-token-of-the-readers-identity"
_HOST_MODULES = (
    "__init__ dev_host direct_engine function_routes functions_engine functions_host runtime_engine schedule".split()
)
_SERVE = """
import asyncio, pathlib, sys
from zava.local import dev_host
app = dev_host.build(pathlib.Path(sys.argv[1]), engine=sys.argv[2], timers=False)
asyncio.run(dev_host.serve(app, port=0, ready=lambda port: print(port, flush=True)))
"""
_MICROSOFTS_OWN = sys.version_info >= (3, 13) and find_spec("azure_functions_runtime") is not None


def test_it_holds_the_app_and_nothing_else() -> None:
    names = package.files()
    assert {name.split("/")[0] for name in names} == {"function_app.py", "host.json", "requirements.txt", "zava"}
    assert not any(name.startswith(("zava/local/", "zava/data/migrations/")) for name in names)
    assert "zava/protocol/apps/dashboard.html" in names


@pytest.mark.parametrize(
    "path",
    [
        ".azure/production/.env",
        ".azure/production/operator_private_key.pem",
        ".local/secrets.json",
        ".venv/pyvenv.cfg",
        ".venv-python3.13/pyvenv.cfg",
        "local.settings.json",
        "test-artifacts/page.png",
        "tests/conformance/node_modules/a.js",
        "coverage.xml",
        ".coverage.1",
    ],
)
def test_what_lies_about_in_a_working_folder_stays_out(path: str, tmp_path: Path) -> None:
    assert package.is_left_out(path, tmp_path)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="zava-package-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def built(folder: Path) -> Path:
    target = folder / "package"
    package.write(target)
    package.build(target)
    return target


def test_it_starts_with_what_it_brings_along_alone(built: Path) -> None:
    script = """
import sys, time
sys.path[:] = [path for path in sys.path if "site-packages" not in path and path]
sys.path[:0] = sys.argv[1:]
started = time.perf_counter()
import function_app
print(round((time.perf_counter() - started) * 1000), len(function_app.app.get_functions()))
"""
    given = app_settings(deployment("small"))
    clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    times: list[int] = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-I", "-c", script, str(built), str(built / package.SITE_PACKAGES)],
            env=clean | given | {"WEBSITE_SITE_NAME": "zava"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        milliseconds, functions = done.stdout.split()
        times.append(int(milliseconds))
        assert int(functions) >= 6
    size = sum(file.stat().st_size for file in built.rglob("*") if file.is_file())
    print(f"package: {size / 2**20:.0f} MiB unpacked, compiled; function_app imported in {min(times)} ms")
    # The platform gives an app 30 seconds to start.
    assert min(times) < 10_000


@pytest.fixture
async def azure(folder: Path) -> AsyncIterator[Azure]:
    with provisioned(folder) as azure:
        await empty_database(azure)
        yield azure


async def test_it_answers_a_tool_call_with_the_settings_of_the_bicep(
    azure: Azure, built: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything but the platform: hook, package, two identities, vault, an operator's token, a model's SQL."""
    hook = azure.hook(AUTH_ENTRA_CLIENT_ID="")
    _, messages = await asyncio.to_thread(hook.communicate, timeout=100)
    assert hook.returncode == 0, messages
    mint = "token --role super_admin --subject operator --private-key".split()
    keys = PROJECT / ".azure" / azure.environment["AZURE_ENV_NAME"]
    try:
        token = subprocess.run(
            [sys.executable, "-m", "zava.platform.mint", *mint, str(keys / "operator_private_key.pem")],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    finally:
        shutil.rmtree(keys)
    given = app_settings(deployment("small", options=False))
    azure.vault.identity.token_of[given["AZURE_READER_CLIENT_ID"]] = _READER_TOKEN
    # On Azure the server itself asks Entra ID whether a token is good; here the token is the login's password.
    connection = await azure.superuser()
    await connection.execute(f"ALTER ROLE zava_reader PASSWORD '{_READER_TOKEN}'")
    await connection.execute(f"ALTER ROLE zava_app PASSWORD '{azure.vault.identity.token}'")
    await connection.close()
    # The host is no part of the package; the modules of the test's own are laid beside it.
    for name in _HOST_MODULES:
        target = built / "zava" / "local" / f"{name}.py"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(PROJECT / "zava" / "local" / f"{name}.py", target)
    here = {
        "POSTGRES_HOST": postgres_gateway.HOST,
        "AZURE_KEY_VAULT_URL": azure.environment["AZURE_KEY_VAULT_URL"],
        "AZURE_OPENAI_ENDPOINT": azure.environment["AZURE_OPENAI_ENDPOINT"],
        "WEBSITE_SITE_NAME": "zava",
        "WEBSITE_HOSTNAME": "zava.azurewebsites.net",
    }
    path = {"PYTHONPATH": os.pathsep.join((azure.environment["PYTHONPATH"].split(os.pathsep)[0], str(PROJECT)))}
    async with PostgresGateway(azure.server.port).running(monkeypatch, folder) as gateway:
        authorities = Path(azure.environment["SSL_CERT_FILE"])
        both = folder / "all.pem"
        both.write_text(authorities.read_text("utf-8") + Path(os.environ["SSL_CERT_FILE"]).read_text("utf-8"))
        routes = json.loads(azure.environment["ZAVA_TEST_ROUTES"]) | {postgres_gateway.HOST: gateway.port}
        trust = {"SSL_CERT_FILE": str(both), "REQUESTS_CA_BUNDLE": str(both), "ZAVA_TEST_ROUTES": json.dumps(routes)}
        await _answers(built, token, given | here | trust | path | azure.vault.identity.environment())


async def _answers(built: Path, token: str, environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(built), "runtime" if _MICROSOFTS_OWN else "direct"],
        cwd=built,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = (await asyncio.to_thread(process.stdout.readline)).strip()
        assert port, "the host did not start; its messages are above"
        call = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {
                "name": "execute_sales_query",
                "arguments": {"postgresql_query": "SELECT count(*) AS stores FROM stores"},
            },
        }
        headers = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
            ready = await client.get("/health/ready")
            assert (ready.status_code, ready.json()["status"]) == (200, "ready")
            started = time.perf_counter()
            answer = await client.post("/mcp", json=call)
            print(f"first tool call: {(time.perf_counter() - started) * 1000:.0f} ms")
            refused = await client.post("/mcp", json=call, headers={"authorization": "Bearer nobody"})
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close() if process.stdout else None
    assert refused.status_code == 401
    result = answer.json()["result"]
    assert json.loads(result["content"][0]["text"])["rows"] == [[8]], result
