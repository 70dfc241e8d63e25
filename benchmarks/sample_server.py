"""`execute_sales_query` through HTTP at 16 clients: our server against the Zava sample's own, on the same rows.

The sample takes part when its checkout is given. Its server runs unchanged, from its own lock file, on a port of our
choice; it signs in as its `store_manager` to the same PostgreSQL, where `sample_tables.sql` keeps the same rows in its
own shape. Both are asked the same SQL for the same store; both run, and rounds alternate. Ours is the app under the
development host, with bearer tokens, limits (raised) and no kept answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contract import Options, Row
from benchmarks.database import Prepared, sample_database
from benchmarks.http_load import Client, Load, load
from zava.local.stores import STORES

_PROJECT = Path(__file__).resolve().parents[1]
_CLIENTS = 16
_STORE = next(store for store in STORES if store.slug == "bellevue")
_TRIVIAL = "SELECT count(*) FROM stores WHERE store_name LIKE '%Bellevue'"
_MONTHLY = (
    "SELECT to_char(o.order_date, 'YYYY-MM') AS month, sum(i.total_amount)::float AS revenue "
    "FROM orders AS o JOIN order_items AS i ON i.order_id = o.order_id GROUP BY 1 ORDER BY 1"
)
_OURS = """
import asyncio, pathlib, sys
from zava.local import dev_host
asyncio.run(dev_host.serve(dev_host.build(pathlib.Path(sys.argv[1]), timers=False), port=int(sys.argv[2])))
"""
# What its `main` does, but for the port, which is fixed there, and the address, which is every one.
_SAMPLE = """
import asyncio, sys
from mcp_server import sales_analysis as sample
async def serve():
    await sample.db_provider.create_pool()
    sample.mcp.settings.host, sample.mcp.settings.port = "127.0.0.1", int(sys.argv[2])
    await sample.mcp.run_streamable_http_async()
asyncio.run(serve())
"""
_LIMITS = {"RATE_LIMIT_PER_MINUTE": "1000000", "RATE_LIMIT_BURST": "100000", "FLOOD_LIMIT_PER_SECOND": "100000"}
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@dataclass(frozen=True, slots=True)
class Side:
    """A server: its port, and the headers of each of the clients."""

    port: int
    headers: tuple[Mapping[str, str], ...]

    def clients(self, sql: str) -> list[Client]:
        arguments = {"name": "execute_sales_query", "arguments": {"postgresql_query": sql}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": arguments}
        return [Client(self.port, {**_HEADERS, **own}, body) for own in self.headers]


@contextlib.contextmanager
def _serving(python: Path, code: str, folder: Path, environment: Mapping[str, str]) -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [str(python), "-c", code, str(folder), str(port)]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, cwd=folder, env=os.environ | environment, stdout=log, stderr=log) as server,
    ):
        try:
            if not _answers(server, port):
                log.seek(0)
                raise SystemExit(f"The server in {folder} did not start:\n{log.read().decode()[-2000:]}")
            yield port
        finally:
            server.terminate()


def _answers(server: subprocess.Popen[bytes], port: int) -> bool:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return True
        time.sleep(0.1)
    return False


def _sample_python(checkout: Path) -> Path:
    """The interpreter of the sample's own environment, `.venv` in its checkout, made from its lock file if missing."""
    python = checkout / ".venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", checkout / ".venv"], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "-r", checkout / "requirements.lock.txt"]
        subprocess.run(install, check=True, stdout=sys.stderr)
    return python


async def _make_tables(prepared: Prepared, password: str) -> None:
    connection = await prepared.superuser.open()
    await connection.execute(Path(__file__).with_name("sample_tables.sql").read_text("utf-8"))
    await connection.execute(f"ALTER ROLE store_manager PASSWORD '{password}'")
    await connection.execute(f'GRANT CONNECT ON DATABASE "{prepared.settings.postgres_database}" TO store_manager')
    await connection.execute("ANALYZE")
    await connection.close()


@contextlib.contextmanager
def _ours(prepared: Prepared) -> Generator[Side]:
    environment = prepared.environment | _LIMITS
    tokens = [
        prepared.issuer.mint("store_manager", stores=[_STORE.slug], subject=f"client {number}")
        for number in range(_CLIENTS)
    ]
    with _serving(Path(sys.executable), _OURS, _PROJECT, environment) as port:
        yield Side(port, tuple({"Authorization": f"Bearer {token}"} for token in tokens))


@contextlib.contextmanager
def _sample(checkout: Path, prepared: Prepared) -> Generator[Side]:
    password = secrets.token_hex(16)
    asyncio.run(_make_tables(prepared, password))
    environment = {
        "POSTGRES_DB_HOST": prepared.settings.postgres_host,
        "POSTGRES_DB_PORT": str(prepared.settings.postgres_port),
        "POSTGRES_DB": prepared.settings.postgres_database,
        "POSTGRES_USER": "store_manager",
        "POSTGRES_PASSWORD": password,
    }
    with _serving(_sample_python(checkout), _SAMPLE, checkout, environment) as port:
        yield Side(port, ({"x-rls-user-id": str(_STORE.store_id)},) * _CLIENTS)


async def _rows(side: Side, sql: str) -> list[Any]:
    """What the side answers, as rows of numbers rounded to cents."""
    client = side.clients(sql)[0]
    await client.open()
    text = (await client.post()).decode()
    await client.close()
    start = text.index("{")
    result, _ = json.JSONDecoder().raw_decode(text[start:])
    answer = json.loads(result["result"]["content"][0]["text"])
    rows = answer["rows"] if "rows" in answer else answer["r"]
    return [[round(cell, 2) if isinstance(cell, float) else cell for cell in row] for row in rows]


async def _compared(ours: Side, sample: Side, sql: str, seconds: float, rounds: int) -> list[tuple[Load, Load]]:
    answers = await _rows(ours, sql), await _rows(sample, sql)
    if answers[0] != answers[1]:
        raise SystemExit(f"not the same work: {answers[0][:3]} and {answers[1][:3]}")
    for side in (ours, sample):
        await _loaded(side, sql, seconds / 2)
    return [(await _loaded(ours, sql, seconds), await _loaded(sample, sql, seconds)) for _ in range(rounds)]


async def _loaded(side: Side, sql: str, seconds: float) -> Load:
    # New connections each time: uvicorn closes one that has been idle for five seconds, which the other's round lasts.
    clients = side.clients(sql)
    for client in clients:
        await client.open()
    measured = await load(clients, seconds)
    for client in clients:
        await client.close()
    return measured


def _table(name: str, target: float, pairs: list[tuple[Load, Load]]) -> tuple[Row, float, str]:
    """The row of the throughput; the ratio of the p95 and what it is made of."""
    throughput = statistics.median(ours.calls_per_second / sample.calls_per_second for ours, sample in pairs)
    p95 = statistics.median(ours.p95 / sample.p95 for ours, sample in pairs)
    rates = [statistics.median(side.calls_per_second for side in each) for each in zip(*pairs, strict=True)]
    times = [statistics.median(side.p95 for side in each) * 1e3 for each in zip(*pairs, strict=True)]
    row = Row(name, target, throughput, f"{rates[0]:.0f} against {rates[1]:.0f} calls/s at {_CLIENTS} clients")
    return row, p95, f"{times[0]:.0f} against {times[1]:.0f} ms"


_THROUGHPUT = "execute_sales_query, trivial SQL / the Zava sample's server"
_P95 = "p95 of the same / the Zava sample's server"
_JOIN = "monthly revenue of one store / the Zava sample's server"


def rows(options: Options) -> list[Row]:
    if options.peer is None:
        why = "give the sample's checkout: --peer PATH"
        return [
            Row(_THROUGHPUT, 4, None, why),
            Row(_P95, 0.25, None, why, at_most=True),
            Row(_JOIN, 3, None, why),
        ]
    seconds, rounds = (1, 3) if options.quick else (10, 7)
    with (
        tempfile.TemporaryDirectory(prefix="zava-bench-", ignore_cleanup_errors=True) as folder,
        sample_database(Path(folder), scale=0.1 if options.quick else 1) as prepared,
        _sample(options.peer, prepared) as sample,
        _ours(prepared) as ours,
    ):
        trivial = asyncio.run(_compared(ours, sample, _TRIVIAL, seconds, rounds))
        monthly = asyncio.run(_compared(ours, sample, _MONTHLY, seconds, rounds))
    throughput, p95, times = _table(_THROUGHPUT, 4, trivial)
    join, join_p95, join_times = _table(_JOIN, 3, monthly)
    join = Row(join.name, join.target, join.measured, f"{join.detail}; p95 {join_p95:.2f} of it ({join_times})")
    return [throughput, Row(_P95, 0.25, p95, times, at_most=True), join]
