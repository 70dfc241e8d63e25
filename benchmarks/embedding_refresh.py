"""The refresh of 100 000 products against a stand-in of Azure OpenAI: requests, memory, a second run, a killed one.

The refresh is the command itself, in a process of its own with the real client and TLS; its memory is the most the
system saw of that process (quick: 3 000 products).
"""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contract import Options, Row
from benchmarks.database import Prepared, sample_database
from benchmarks.products import add_products
from tests.azure_standins.openai_service import (
    DEPLOYMENT,
    ENDPOINT,
    MOST_TEXTS,
    MOST_TOKENS,
    OpenAIService,
)
from zava.platform.settings import Settings

_PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a refresh process ended, with the most memory it had, in MiB."""

    code: int
    seconds: float
    mebibytes: float


class Refresh:
    """The command as a process that talks to `service`."""

    def __init__(self, settings: Settings, service: OpenAIService, trust: Path) -> None:
        self._arguments = [sys.executable, "-m", "tests.azure_standins.refresh_process", str(service.server.port)]
        self._environment = os.environ | {
            "POSTGRES_HOST": settings.postgres_host,
            "POSTGRES_PORT": str(settings.postgres_port),
            "POSTGRES_SSLMODE": settings.postgres_sslmode,
            "POSTGRES_PASSWORD": settings.postgres_password.get_secret_value(),
            "POSTGRES_APP_PASSWORD": settings.postgres_app_password.get_secret_value(),
            "TENANT_SIGNING_KEY": settings.tenant_signing_key.get_secret_value(),
            "EMBEDDER": "azure",
            "AZURE_OPENAI_ENDPOINT": ENDPOINT,
            "SSL_CERT_FILE": str(trust),
        }

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._arguments, cwd=_PROJECT, env=self._environment, stdout=subprocess.DEVNULL)

    def run(self) -> Ended:
        started = time.perf_counter()
        return self.end(self.start(), started)

    @staticmethod
    def end(process: subprocess.Popen[bytes], started: float) -> Ended:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return Ended(process.returncode, time.perf_counter() - started, usage.ru_maxrss / 1024)


async def _fill(prepared: Prepared, products: int) -> None:
    connection = await prepared.superuser.open()
    sample = await connection.fetchval("SELECT count(*) FROM retail.products") or 0
    await add_products(connection, products - sample)
    await connection.execute("UPDATE zava.active_embedding_model SET embedding_model = $1", DEPLOYMENT)
    await connection.close()


async def _empty(prepared: Prepared) -> None:
    connection = await prepared.superuser.open()
    await connection.execute("DELETE FROM zava.embedding_lease; TRUNCATE retail.product_description_embeddings")
    await connection.close()


async def _vectors(prepared: Prepared) -> int:
    connection = await prepared.superuser.open()
    count = await connection.fetchval(
        "SELECT count(*) FROM retail.product_description_embeddings WHERE embedding_model = $1", DEPLOYMENT
    )
    await connection.close()
    return count or 0


def _killed(refresh: Refresh, service: OpenAIService, prepared: Prepared, requests: int) -> tuple[int, int]:
    """Kill a refresh half-way and run another one: texts that were asked for twice, and vectors in the end."""
    asyncio.run(_empty(prepared))
    service.accepted.clear()
    process, started = refresh.start(), time.perf_counter()
    while len(service.accepted) < max(1, requests // 2):
        time.sleep(0.01)
    process.kill()
    refresh.end(process, started)
    asyncio.run(_end_lease(prepared))
    refresh.run()
    texts = Counter(text for accepted in service.accepted for text in accepted.texts)
    return sum(times - 1 for times in texts.values()), asyncio.run(_vectors(prepared))


async def _end_lease(prepared: Prepared) -> None:
    connection = await prepared.superuser.open()
    await connection.execute("UPDATE zava.embedding_lease SET holds_until = now()")
    await connection.close()


def measure(prepared: Prepared, folder: Path, products: int) -> list[Row]:
    asyncio.run(_fill(prepared, products))
    service = OpenAIService()
    with service.server as server:
        refresh = Refresh(prepared.settings, service, server.trust_file(folder))
        first = refresh.run()
        requests, tokens = service.attempts, sum(accepted.tokens for accepted in service.accepted)
        fewest = max(math.ceil(products / MOST_TEXTS), math.ceil(tokens / MOST_TOKENS))
        second = refresh.run()
        twice = service.attempts - requests
        small = asyncio.run(_vectors(prepared))
        repeated, vectors = _killed(refresh, service, prepared, requests)
    size = f"{products} products, {tokens} tokens, {first.seconds:.0f} s, {products / first.seconds:.0f} a second"
    return [
        Row("peak memory of the refresh, MiB", 300, first.mebibytes, size, at_most=True),
        Row("requests / fewest possible", 1.05, requests / fewest, f"{requests} against {fewest}", at_most=True),
        Row("requests of a second run", 0, twice, f"{second.seconds:.1f} s, {small} vectors", at_most=True),
        Row("texts repeated after a SIGKILL", MOST_TEXTS, repeated, f"{vectors} vectors in the end", at_most=True),
    ]


def rows(options: Options) -> list[Row]:
    products = 3_000 if options.quick else 100_000
    with (
        tempfile.TemporaryDirectory(prefix="zava-bench-", ignore_cleanup_errors=True) as folder,
        sample_database(Path(folder), scale=0.01) as prepared,
    ):
        return measure(prepared, Path(folder), products)
