"""A real Redis of a test's own, which can be killed, frozen and started again on the same port."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from typing import Self

from cryptography.fernet import Fernet
from redis.asyncio import Redis

from tests.services import missing, wait_until_said
from zava.errors import ServiceUnavailableError
from zava.platform.secret_names import SecretName
from zava.platform.secret_source import SecretMissingError


class RedisServer:
    """Runs while the block runs; what it holds is gone when it is stopped."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            missing("redis-server is not installed (Debian: apt install redis-server)")
        self._program = program
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        process = self._process = subprocess.Popen(
            [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        wait_until_said(process.stdout, "Ready to accept connections", "Redis")

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def client(self) -> Redis:
        """The test's own client, which sees what Redis holds."""
        return Redis.from_url(self.url)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *arguments: object) -> None:
        self.kill()


class GivenSecrets:
    """Secrets as a test gives them; `refused` are the values it was told do not work."""

    def __init__(self, values: Mapping[SecretName, str]) -> None:
        self.values = dict(values)
        self.refused: list[str] = []
        self.away = False

    @classmethod
    def of(cls, server: RedisServer, *keys: str) -> GivenSecrets:
        joined = ",".join(keys or (Fernet.generate_key().decode(),))
        return cls({SecretName.REDIS_URL: server.url, SecretName.CACHE_ENCRYPTION_KEY: joined})

    async def get(self, name: SecretName, *, refused: str | None = None) -> str:
        if refused is not None:
            self.refused.append(refused)
        if self.away:
            raise ServiceUnavailableError("The vault is away")
        if name not in self.values:
            raise SecretMissingError(f"The secret {name} is not configured")
        return self.values[name]
