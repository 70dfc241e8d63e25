"""Imports point one way, and starting the app opens nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def test_imports_point_one_way() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_the_triggers_are_the_top_and_short() -> None:
    below = [path for path in (PROJECT / "zava").rglob("*.py") if "function_app import" in path.read_text("utf-8")]
    assert below == []
    assert len((PROJECT / "function_app.py").read_text("utf-8").splitlines()) <= 100


_IMPORT_WITHOUT_SOCKETS = """
import sys, socket, pathlib

opened = []
def refuse(*arguments, **options):
    raise AssertionError("importing function_app opened a socket")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
real_open = pathlib.Path.open
def watched(self, *arguments, **options):
    opened.append(str(self))
    return real_open(self, *arguments, **options)
pathlib.Path.open = watched

import function_app
opened = [name for name in opened if ".dist-info" not in name]
assert not [name for name in opened if "jwks" in name or "secret" in name], opened
vendors = {"openai", "azure.identity", "azure.keyvault", "azure.core", "opencensus", "opentelemetry.sdk"}
libraries = {"alembic", "sqlalchemy", "numpy", "redis", "requests", "postgast", "google", "httpx", "aiohttp", "msal"}
laptop = {"psutil", "tqdm", "zava.local"}
heavy = vendors | libraries | laptop
assert not heavy & set(sys.modules), heavy & set(sys.modules)
print("functions:", *sorted(function.get_function_name() for function in function_app.app.get_functions()))
"""


def test_importing_the_app_opens_no_socket_reads_no_key_and_loads_nothing_heavy() -> None:
    environment = os.environ | {
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_SSLMODE": "disable",
        "POSTGRES_PASSWORD": "x",
        "POSTGRES_APP_PASSWORD": "x",
        "TENANT_SIGNING_KEY": f"k1:{'00' * 32}",
        "AUTH_JWKS_URL": "file:///nowhere/jwks.json",
    }
    result = subprocess.run(
        [sys.executable, "-c", _IMPORT_WITHOUT_SOCKETS],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [
        "functions:",
        "health",
        "health_live",
        "health_ready",
        "home",
        "mcp",
        "protected_resource_metadata",
        "refresh_embeddings",
    ]


def test_missing_settings_stop_the_start_with_a_list_of_all_of_them() -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("POSTGRES", "TENANT", "AUTH"))
    }
    result = subprocess.run(
        [sys.executable, "-c", "import function_app"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    named = {line.split(":")[0].removeprefix("- ") for line in result.stderr.splitlines() if line.startswith("- ")}
    assert named == {"POSTGRES_HOST", "POSTGRES_PASSWORD", "POSTGRES_APP_PASSWORD", "TENANT_SIGNING_KEY"}
