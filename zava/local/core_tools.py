"""`make func`: database, token issuer and storage for the app, then the app under Azure Functions Core Tools."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path

from zava.local.data_folder import DataFolderError
from zava.local.environment import prepared
from zava.local.postgres import LocalPostgresError
from zava.local.token_issuer import TokenIssuerError
from zava.platform.whole_file import write_whole

_PROJECT = Path(__file__).resolve().parents[2]
_DEVELOPMENT_STORAGE = "UseDevelopmentStorage=true"
_BLOB_PORT = 10000  # the one that development storage means
_NO_CORE_TOOLS = (
    "Azure Functions Core Tools (func) are not on the PATH: npm install --global azure-functions-core-tools@4 brings "
    "them. Without them make run serves the same app on this machine."
)
_NO_AZURITE = (
    "Azurite, which keeps the timer's state, was not found: npm install --global azurite brings it. "
    "The host will complain about its storage until Azurite runs."
)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make func", description="Run the app under Azure Functions Core Tools.")
    parser.add_argument("--port", type=int, default=7071, help="port of the host on 127.0.0.1 (default 7071)")
    parser.add_argument("--data", type=Path, default=Path(".local"), help="folder for database, keys and storage")
    options = parser.parse_args(arguments)
    data: Path = options.data.resolve()
    func = shutil.which("func")
    if func is None:
        print(_NO_CORE_TOOLS, file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: everything that was started is stopped
    try:
        with prepared(data) as settings, _azurite(data, _storage(_local_settings(settings))):
            print("A token: make token ROLE=store_manager STORE=seattle. Stop with Ctrl-C.", flush=True)
            command = [func, "start", "--port", str(options.port)]
            with _running(command, _PROJECT, _environment(settings)) as host:
                return host.wait()
    except (LocalPostgresError, TokenIssuerError, DataFolderError) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _local_settings(settings: Mapping[str, str]) -> Path:
    """The host's file of settings; where there is none yet it is made from the example and these settings."""
    file = _PROJECT / "local.settings.json"
    if not file.exists():
        document = json.loads((_PROJECT / "local.settings.json.example").read_text("utf-8"))
        document["Values"] |= settings
        write_whole(file, json.dumps(document, indent=2).encode() + b"\n", 0o600)
    return file


def _storage(file: Path) -> str:
    """The storage the host will use, as far as it can be told: it accepts comments in its file, JSON does not."""
    try:
        written = json.loads(file.read_text("utf-8"))["Values"]["AzureWebJobsStorage"]
    except (ValueError, KeyError, TypeError):
        written = _DEVELOPMENT_STORAGE
    return os.environ.get("AzureWebJobsStorage", written)  # noqa: SIM112  (the host's own spelling)


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """What the host is started with. The environment wins over the file: the database's port is new at each start."""
    interpreter = Path(sys.executable).parent
    return {
        "FUNCTIONS_CORE_TOOLS_TELEMETRY_OPTOUT": "1",
        **os.environ,
        **settings,
        "PATH": f"{interpreter}{os.pathsep}{os.environ.get('PATH', os.defpath)}",  # its worker takes this Python
    }


@contextlib.contextmanager
def _azurite(data: Path, storage: str) -> Generator[None]:
    """The storage the host asks for, unless it is another one or runs already."""
    if storage != _DEVELOPMENT_STORAGE or _answers(_BLOB_PORT):
        yield
        return
    program = shutil.which("azurite") or shutil.which("azurite", path=_PROJECT / "node_modules" / ".bin")
    if program is None:
        print(_NO_AZURITE, file=sys.stderr)
        yield
        return
    command = [program, "--silent", "--skipApiVersionCheck", "--location", str(data / "azurite")]
    with _running(command, _PROJECT, dict(os.environ)) as azurite:
        deadline = time.monotonic() + 30
        while not _answers(_BLOB_PORT) and azurite.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if not _answers(_BLOB_PORT):
            print(f"Azurite does not answer on port {_BLOB_PORT}: run it by hand to see why.", file=sys.stderr)
        yield


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def _running(command: list[str], folder: Path, environment: dict[str, str]) -> Generator[subprocess.Popen[bytes]]:
    """A program that runs while the block does. It and its children form a group of their own, ended as one.

    Out of the terminal's reach, so that Ctrl-C ends the programs in order instead of all at once.
    """
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        for request in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, request)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
                break


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
