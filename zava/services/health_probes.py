"""The components that the health report names, and what asking them means."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from zava import VERSION
from zava.data.isolation_proof import IsolationProof
from zava.data.pools import LazyPool, Pools
from zava.platform.query_monitor import QueryMonitor
from zava.platform.redis_level import RedisLevel
from zava.platform.result_cache import ResultCache
from zava.platform.secret_names import SecretName
from zava.platform.secrets import Secrets
from zava.services.health_checks import ComponentHealth
from zava.services.query_embedding import QueryEmbeddings

_LEAST_FREE_MIB = 100
_MIB = 1024 * 1024


class DatabaseProbe:
    """Both logins answer, and how their pools are used."""

    name = "database"
    essential = True

    def __init__(self, pools: Pools) -> None:
        self._pools = pools

    async def check(self) -> ComponentHealth:
        version, _ = await asyncio.gather(_asked(self._pools.reader), _asked(self._pools.app))
        pools = {name: asdict(pool.use) for name, pool in (("reader", self._pools.reader), ("app", self._pools.app))}
        return ComponentHealth("ok", {"server_version": version, "pools": pools})


class IsolationProbe:
    """The proof that tenants are kept apart, made anew."""

    name = "isolation"
    essential = True

    def __init__(self, proof: IsolationProof) -> None:
        self._proof = proof

    async def check(self) -> ComponentHealth:
        failed = await self._proof.run()
        return ComponentHealth("failed", {"failed_checks": list(failed)}) if failed else ComponentHealth("ok")


class SecretsProbe:
    """The secret that no call can do without can be had; from the cache, while that holds."""

    name = "secrets"
    essential = True

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    async def check(self) -> ComponentHealth:
        await self._secrets.get(SecretName.TENANT_SIGNING_KEY)
        return ComponentHealth("ok")


class AiServiceProbe:
    """What is known of the embedder from the calls that were made: asking costs none."""

    name = "ai_service"
    essential = False  # search goes on by words

    def __init__(self, embeddings: QueryEmbeddings, configured_model: str) -> None:
        self._embeddings = embeddings
        self._model = configured_model

    async def check(self) -> ComponentHealth:
        known = self._embeddings.state
        details = {"model": self._model, "circuit": known.circuit, "seconds_since_answer": known.seconds_since_answer}
        return ComponentHealth("ok" if known.circuit == "closed" else "degraded", details)


class CacheProbe:
    """The caches of this worker, and the level that workers share: without it answers are kept in memory only."""

    name = "cache"
    essential = False

    def __init__(self, embeddings: QueryEmbeddings, answers: ResultCache, shared: RedisLevel) -> None:
        self._embeddings = embeddings
        self._answers = answers
        self._shared = shared

    async def check(self) -> ComponentHealth:
        known = self._embeddings.state
        figures = {"entries": known.cached, "hits": known.hits, "misses": known.misses}
        kept, shared = asdict(self._answers.figures()), self._shared.state
        details = {"query_embedding": figures, "answers": kept, "shared": shared}
        return ComponentHealth("ok" if shared in {"off", "closed"} else "degraded", details)


class SystemProbe:
    """The machine under the worker."""

    name = "system"
    essential = False

    async def check(self) -> ComponentHealth:
        details, free_mib = _machine()
        return ComponentHealth("ok" if free_mib >= _LEAST_FREE_MIB else "degraded", details)


class ApplicationProbe:
    """This worker's own figures."""

    name = "application"
    essential = False

    def __init__(self, monitor: QueryMonitor) -> None:
        self._monitor = monitor
        self._started = time.monotonic()

    async def check(self) -> ComponentHealth:
        operations: Sequence[dict[str, object]] = [
            {name: round(value, 1) if isinstance(value, float) else value for name, value in asdict(figures).items()}
            for figures in self._monitor.snapshot()
        ]
        uptime = round(time.monotonic() - self._started)
        return ComponentHealth("ok", {"version": VERSION, "uptime_seconds": uptime, "operations": operations})


async def _asked(pool: LazyPool) -> str:
    async with pool.connection() as connection:
        return str(await connection.fetchval("SELECT current_setting('server_version')"))


def _machine() -> tuple[dict[str, object], int]:
    """Its figures, and how many MiB of temporary disk are free; a matter of microseconds."""
    free_mib = shutil.disk_usage(tempfile.gettempdir()).free // _MIB
    details: dict[str, object] = {
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "temporary_disk_free_mib": free_mib,
    }
    pages = Path("/proc/self/statm")
    if pages.exists():  # Linux, as on Azure
        details["memory_mib"] = int(pages.read_text("ascii").split()[1]) * os.sysconf("SC_PAGESIZE") // _MIB
    return details, free_mib
