"""`make func` with stand-ins for `func` and `azurite`: what it starts, what it hands over, and that all of it ends."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
MAIN = """
import contextlib, pathlib, sys, types

@contextlib.contextmanager
def prepared(data):
    print("prepared", data, flush=True)
    try:
        yield {"POSTGRES_PORT": "5999", "POSTGRES_PASSWORD": "secret"}
    finally:
        print("database stopped", flush=True)

sys.modules["zava.local.environment"] = types.SimpleNamespace(prepared=prepared)
from zava.local import core_tools
core_tools._PROJECT = pathlib.Path(sys.argv[1])
core_tools._BLOB_PORT = int(sys.argv[2])
sys.exit(core_tools.main(sys.argv[3:]))
"""
FUNC = """
import json, os, signal, sys, time
def end(*_):
    print("func ended", flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, end)
names = ("POSTGRES_PORT", "POSTGRES_PASSWORD", "FUNCTIONS_CORE_TOOLS_TELEMETRY_OPTOUT")
print("func", json.dumps([sys.argv[1:], os.getcwd(), [os.environ.get(name) for name in names]]), flush=True)
print("first on the path:", os.environ["PATH"].split(":")[0], flush=True)
if os.environ.get("FUNC_FAILS"):
    sys.exit(3)
time.sleep(60)
"""
AZURITE = """
import signal, socket, sys, time
def end(*_):
    print("azurite ended", flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, end)
print("azurite", *sys.argv[1:], flush=True)
with socket.create_server(("127.0.0.1", {port})):
    time.sleep(60)
"""


@dataclass
class Bench:
    """A project folder, a PATH with nothing but what a test puts there, and a port nobody listens on."""

    project: Path
    path: Path
    port: int

    def install(self, name: str, source: str, folder: Path | None = None) -> None:
        program = (folder or self.path) / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!{sys.executable}\n{source}")
        program.chmod(0o755)

    @contextlib.contextmanager
    def run(self, **environment: str) -> Generator[subprocess.Popen[str]]:
        command = [sys.executable, "-c", MAIN, str(self.project), str(self.port)]
        with subprocess.Popen(
            [*command, "--data", str(self.project / "data"), "--port", "7099"],
            env={"PATH": str(self.path), "PYTHONPATH": str(CHECKOUT), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            yield process


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    project, path = tmp_path / "the project", tmp_path / "bin"
    project.mkdir()
    path.mkdir()
    (project / "local.settings.json.example").write_text((CHECKOUT / "local.settings.json.example").read_text())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return Bench(project, path, port)


def read_until(process: subprocess.Popen[str], beginning: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or not lines[-1].startswith(beginning):
        line = process.stdout.readline()
        assert line, (lines, process.stderr.read() if process.stderr else "")
        lines.append(line.strip())
    return lines


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=lambda end: end.name)
def test_storage_and_host_get_the_settings_and_end_in_order(bench: Bench, end: signal.Signals) -> None:
    bench.install("func", FUNC)
    bench.install("azurite", AZURITE.format(port=bench.port))
    data = bench.project / "data"
    with bench.run() as process:
        lines = read_until(process, "first on the path")
        process.send_signal(end)
        output, errors = process.communicate(timeout=20)
    assert lines == [
        f"prepared {data}",
        f"azurite --silent --skipApiVersionCheck --location {data / 'azurite'}",
        "A token: make token ROLE=store_manager STORE=seattle. Stop with Ctrl-C.",
        f"func {json.dumps([['start', '--port', '7099'], str(bench.project), ['5999', 'secret', '1']])}",
        f"first on the path: {Path(sys.executable).parent}",
    ]
    assert (output.splitlines(), errors) == (["func ended", "azurite ended", "database stopped"], "")
    assert process.returncode == 130


def test_local_settings_are_made_once_from_the_example_for_the_owner_only(bench: Bench) -> None:
    bench.install("func", FUNC)
    file = bench.project / "local.settings.json"
    for _ in range(2):
        with bench.run(FUNC_FAILS="1") as process:
            process.communicate(timeout=20)
        made = json.loads(file.read_text())
        example = json.loads((bench.project / "local.settings.json.example").read_text())
        assert made == example | {
            "Values": example["Values"] | {"POSTGRES_PORT": "5999", "POSTGRES_PASSWORD": "secret"}
        }
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("// the host accepts comments\n{}")
    with bench.run(FUNC_FAILS="1") as process:
        process.communicate(timeout=20)
    assert file.read_text() == "// the host accepts comments\n{}"


def test_a_host_that_fails_ends_everything_and_hands_on_its_code(bench: Bench) -> None:
    bench.install("func", FUNC)
    bench.install("azurite", AZURITE.format(port=bench.port), bench.project / "node_modules" / ".bin")
    with bench.run(FUNC_FAILS="1") as process:
        output, _ = process.communicate(timeout=20)
    assert output.splitlines()[-2:] == ["azurite ended", "database stopped"]
    assert process.returncode == 3


@pytest.mark.parametrize("storage", ["it runs already", "another account"])
def test_azurite_is_not_started_when_it_is_not_needed(bench: Bench, storage: str) -> None:
    bench.install("func", FUNC)
    bench.install("azurite", AZURITE.format(port=bench.port))
    with contextlib.ExitStack() as stack:
        environment = {"FUNC_FAILS": "1"}
        if storage == "it runs already":
            stack.enter_context(socket.create_server(("127.0.0.1", bench.port)))
        else:
            environment["AzureWebJobsStorage"] = "AccountName=other"
        process = stack.enter_context(bench.run(**environment))
        output, errors = process.communicate(timeout=20)
    assert "azurite --silent" not in output
    assert errors == ""


@pytest.mark.parametrize(
    ("stand_in", "sentence"),
    [
        (None, "Azurite, which keeps the timer's state, was not found: npm install --global azurite brings it. "),
        ("raise SystemExit(1)", "Azurite does not answer on port {port}: run it by hand to see why."),
    ],
    ids=["missing", "broken"],
)
def test_without_azurite_the_host_starts_and_a_sentence_says_what_to_do(
    bench: Bench, stand_in: str | None, sentence: str
) -> None:
    bench.install("func", FUNC)
    if stand_in:
        bench.install("azurite", stand_in)
    with bench.run(FUNC_FAILS="1") as process:
        output, errors = process.communicate(timeout=20)
    assert errors.startswith(sentence.format(port=bench.port))
    assert "func " in output


def test_without_core_tools_nothing_is_started_and_two_sentences_say_what_to_do(bench: Bench) -> None:
    with bench.run() as process:
        output, errors = process.communicate(timeout=20)
    assert (output, process.returncode) == ("", 1)
    assert errors == (
        "Azure Functions Core Tools (func) are not on the PATH: npm install --global azure-functions-core-tools@4 "
        "brings them. Without them make run serves the same app on this machine.\n"
    )
    assert [path.name for path in bench.project.iterdir()] == ["local.settings.json.example"]
