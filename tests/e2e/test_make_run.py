"""`make run` as a person uses it: in a checkout whose path holds a space, killed, started again, stopped by Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import jwt
import psutil
import pytest

from zava.local import data_folder

PROJECT = Path(__file__).resolve().parents[2]
# As from a person's shell: `make test` around these tests must not reach the make inside them.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


def _block(page: str, beginning: str) -> str:
    """The commands of a page that begin with these words."""
    found = re.search(rf"```\w*\n({re.escape(beginning)}.*?)```", (PROJECT / page).read_text("utf-8"), re.DOTALL)
    assert found is not None, page
    return found[1]


_RUN, _TOKEN = _block("README.md", "make run").splitlines()


def checkout_into(copy: Path) -> None:
    """Copy what git tracks, and what it would."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (PROJECT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, copy / name)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files in a folder with a space, and this run's own interpreter in place of an installation."""
    copy = tmp_path_factory.mktemp("a checkout") / "zava copy"
    checkout_into(copy)
    (copy / ".venv").symlink_to(sys.prefix)
    return copy


class Run:
    """One `make run`."""

    def __init__(self, checkout: Path, port: int, *arguments: str) -> None:
        self.port = port
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*_RUN.split(), f"PORT={port}", "DATA=our data", "SCALE=0.01", *arguments],
            cwd=checkout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_ENVIRONMENT | {"PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        self.output = ""

    def wait_until_ready(self) -> float:
        """Seconds until it said how to connect."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if "Stop with Ctrl-C" in line:
                return time.monotonic() - self.started
        raise AssertionError(f"make run ended: {self.process.communicate()}")

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def interrupt(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)
        return self.end()

    def end(self) -> int:
        code = self.process.wait(30)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code


def _ask(port: int, token: str, sql: str) -> Any:
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "execute_sales_query", "arguments": {"postgresql_query": sql}},
    }
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }
    request = Request(f"http://127.0.0.1:{port}/mcp", json.dumps(body).encode(), headers)
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)["result"]["structuredContent"]["rows"]


def _said(checkout: Path, port: int, commands: str) -> str:
    """What a page's own commands print; only the port and the folder are ours."""
    script = commands.replace(":7071/", f":{port}/").replace("make token", "make token DATA='our data'")
    done = subprocess.run(
        ["bash", "-euc", script], cwd=checkout, env=_ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


def _token(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "token", "DATA=our data", *arguments],
        cwd=checkout,
        env=_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(240)
def test_a_first_start_a_kill_and_a_second_start_lose_nothing(checkout: Path, unused_port: int) -> None:
    port = unused_port
    first = Run(checkout, port)
    first.wait_until_ready()
    assert f"How to connect, and how it is: http://127.0.0.1:{port}/\n" in first.output
    token = _said(checkout, port, _TOKEN).strip()
    orders = _ask(port, token, "SELECT count(*), sum(total_amount) FROM orders")
    embedded = _ask(port, token, "SELECT count(*) FROM product_description_embeddings")
    assert orders[0][0] > 100
    assert embedded[0][0] >= 400, "the first start makes the embeddings"
    answer = json.loads(_said(checkout, port, _block("README.md", "TOKEN=")))
    assert answer["result"]["structuredContent"]["rows"] == [["Zava Retail Seattle", orders[0][0]]]
    assert json.loads(_said(checkout, port, _block("docs/health.md", "curl")))["status"] == "ok"
    ready = _said(checkout, port, _block("docs/security.md", "curl"))
    assert f"answers `{ready}`" in (PROJECT / "docs/security.md").read_text("utf-8")
    configuration = json.loads((checkout / ".vscode" / "mcp.json").read_text())
    assert set(configuration["servers"]) == {"zava-head-office", "zava-puget-sound", "zava-seattle"}
    head_office = configuration["servers"]["zava-head-office"]["headers"]["Authorization"].removeprefix("Bearer ")
    assert _ask(port, head_office, "SELECT count(*) FROM stores") == [[8]]

    survivors = first.processes()
    os.killpg(first.process.pid, signal.SIGKILL)
    first.end()
    psutil.wait_procs(survivors, timeout=20)
    assert [process for process in survivors if process.is_running()] == [], "PostgreSQL outlived the kill"

    second = Run(checkout, port)
    assert second.wait_until_ready() < 10
    assert _ask(port, token, "SELECT count(*), sum(total_amount) FROM orders") == orders
    children = second.processes()
    assert second.interrupt() in (0, 130, -signal.SIGINT)
    psutil.wait_procs(children, timeout=20)
    assert [process for process in children if process.is_running()] == [], "Ctrl-C left something running"


def test_a_token_is_the_only_thing_on_standard_output_and_works_for_every_role(checkout: Path) -> None:
    for arguments in (
        ("ROLE=super_admin",),
        ("ROLE=regional_manager", "REGION=puget-sound"),
        ("ROLE=store_manager", "STORE=spokane"),
    ):
        made = _token(checkout, *arguments)
        assert (made.returncode, made.stderr, made.stdout.count("\n")) == (0, "", 1)
        assert made.stdout.count(".") == 2


def test_the_tokens_of_the_document_say_what_they_were_asked_to(checkout: Path) -> None:
    made = _said(checkout, 0, _block("docs/auth.md", "make token")).splitlines()
    stores, regions, everything = (jwt.decode(token, options={"verify_signature": False}) for token in made)
    assert (len(stores["allowed_stores"]), stores["exp"] - stores["iat"]) == (2, 3600)
    assert (regions["allowed_regions"], regions["permissions"], regions["sub"]) == (
        ["puget-sound", "online"],
        ["products.read"],
        "ada",
    )
    assert everything["roles"] == ["super_admin"]


def test_a_token_for_a_store_that_is_not_there_names_the_stores(checkout: Path) -> None:
    made = _token(checkout, "ROLE=store_manager", "STORE=portland")
    assert (made.returncode, made.stdout) == (2, "")
    assert "There is no store 'portland': choose from seattle, bellevue" in made.stderr


def test_a_busy_port_gets_one_sentence_before_anything_is_started(checkout: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        run = Run(checkout, taken.getsockname()[1], "DATA=never made")
        _, complaint = run.process.communicate(timeout=30)
    first = complaint.splitlines()[0]
    assert first == (f"Port {run.port} is taken by another program: stop it, or take another one: make run PORT=7099.")
    assert not (checkout / "never made").exists()


def test_two_starts_on_one_folder_tell_the_second_what_to_do(checkout: Path, unused_port: int) -> None:
    held = data_folder.lock(checkout / "our data")
    try:
        second = Run(checkout, unused_port)
        _, complaint = second.process.communicate(timeout=30)
    finally:
        os.close(held)
    assert complaint.startswith(f"Another Zava uses this data folder (pid {os.getpid()})")


def test_clean_data_removes_the_folder_and_the_next_start_begins_afresh(checkout: Path) -> None:
    assert (checkout / "our data").exists()
    cleaned = subprocess.run(
        ["make", "clean-data", "DATA=our data"],
        cwd=checkout,
        env=_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert cleaned.returncode == 0, cleaned.stderr
    assert not (checkout / "our data").exists()


def test_a_scale_outside_its_bounds_is_said(checkout: Path, unused_port: int) -> None:
    run = Run(checkout, unused_port, "SCALE=100")
    _, complaint = run.process.communicate(timeout=30)
    assert "the scale of the sample data lies between 0.01 and 10" in complaint


def test_an_old_python_is_told_which_one_is_needed(checkout: Path, tmp_path: Path) -> None:
    stand_in = tmp_path / "python3.10"
    stand_in.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "import sys; sys.version_info = (3, 10, 0); exec(sys.argv[1])" "$2"\n'
    )
    stand_in.chmod(0o755)
    run = subprocess.run(
        ["make", "run", f"PYTHON={stand_in}"],
        cwd=checkout,
        env=_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert "Zava needs Python 3.11, 3.12 or 3.13, this is 3.10" in run.stderr
