"""Secrets as the process uses them: from a setting, or read from the vault once in a while and kept in memory.

Nobody waits for the vault when a value is at hand: an old one is renewed in the background, and serves for a day while
the vault is away. Who finds a value refused (a password by the database, a key by what it verifies) says so, and the
vault is asked at once, though not more than once in two seconds: so a rotation needs no restart, and it does not
matter whether the vault or what checks the value learns the new one first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zava.errors import ServiceUnavailableError
from zava.platform.breaker import CircuitOpenError
from zava.platform.credential import SharedCredential
from zava.platform.secret_names import SecretName
from zava.platform.secret_source import KeyVaultSecrets, SecretMissingError, SecretSource, key_vault_client
from zava.platform.settings import Settings
from zava.platform.shared_task import is_under_way

_log = logging.getLogger(__name__)

FRESH_SECONDS = 900.0
"""An older value is renewed, in the background."""
STALE_SECONDS = 86_400.0
"""A value that could not be renewed for this long is not used any more."""
RETRY_SECONDS = 30.0
"""At least this long between two attempts to renew a value that has grown old."""
REFUSED_SECONDS = 2.0
"""At least this long between two reads because a value was refused. Short, because all calls fail until the vault has a
value that works; from forty workers that is a twentieth of the reads a vault takes."""
MISSING_SECONDS = 60.0
"""A secret the vault does not have is asked for again after this long."""
_NEVER = float("-inf")


@dataclass(slots=True)
class _Kept:
    """What is known of one secret; no secret is empty, so an empty value is none."""

    value: str = ""
    read_at: float = _NEVER
    tried_at: float = _NEVER
    forced_at: float = _NEVER
    failure: ServiceUnavailableError | None = None
    reading: asyncio.Task[None] | None = None


class Secrets:
    """Secrets by name, each read when it is first needed; several at once are read in parallel, one by one request.

    Args:
        configured: values from settings; they win, and an empty one counts as absent.
        vault: what is asked for the others, if there is a vault.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        configured: Mapping[SecretName, str],
        vault: SecretSource | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._configured = configured
        self._vault = vault
        self._clock = clock
        self._kept: dict[SecretName, _Kept] = {}

    @classmethod
    def of(cls, settings: Settings, credential: SharedCredential) -> Secrets:
        url = settings.azure_key_vault_url
        vault = KeyVaultSecrets(lambda: key_vault_client(url, credential)) if url else None
        return cls(settings.secrets(), vault)

    async def get(self, name: SecretName, *, refused: str | None = None) -> str:
        """The secret's value.

        Args:
            refused: the value this method gave before, when it did not work: a newer one is returned if there is one,
                else the same again.

        Raises:
            SecretMissingError: it is neither a setting nor in the vault.
            ServiceUnavailableError: the vault did not give it, and no value of the last day is known.
        """
        if value := self._configured.get(name):
            return value
        if self._vault is None:
            raise SecretMissingError(f"The secret {name} is not configured", f"Set {name.setting}.")
        kept, now = self._kept.setdefault(name, _Kept()), self._clock()
        if not kept.value or now - kept.read_at >= STALE_SECONDS:
            return await self._first(name, kept, self._vault)
        if refused == kept.value:
            if now - kept.forced_at >= REFUSED_SECONDS:
                kept.forced_at = now
                await self._read_now(name, kept, self._vault)
            elif is_under_way(kept.reading):  # somebody else forced it just now
                await self._read_now(name, kept, self._vault)
        elif now - kept.read_at >= FRESH_SECONDS and now - kept.tried_at >= RETRY_SECONDS:
            self._start(name, kept, self._vault)
        return kept.value

    async def _first(self, name: SecretName, kept: _Kept, vault: SecretSource) -> str:
        known_missing = isinstance(kept.failure, SecretMissingError)
        if not (known_missing and self._clock() - kept.tried_at < MISSING_SECONDS):
            await self._read_now(name, kept, vault)
        if (failure := kept.failure) is not None:
            # A new one for every caller: an error may be given who was refused by it.
            raise type(failure)(failure.message, failure.hint, failure.retry_after) from failure
        return kept.value

    async def _read_now(self, name: SecretName, kept: _Kept, vault: SecretSource) -> None:
        # Shielded: a caller that gives up must not cancel what others wait for.
        await asyncio.shield(self._start(name, kept, vault))

    def _start(self, name: SecretName, kept: _Kept, vault: SecretSource) -> asyncio.Task[None]:
        """The read under way, or a new one."""
        if not is_under_way(kept.reading):
            kept.reading = asyncio.get_running_loop().create_task(self._read(name, kept, vault))
        return kept.reading

    async def _read(self, name: SecretName, kept: _Kept, vault: SecretSource) -> None:
        try:
            kept.value = await vault.get(name)
        except ServiceUnavailableError as problem:
            kept.failure = problem
            if not isinstance(problem.__cause__, CircuitOpenError):  # that would be said at every call
                _log.warning("%s%s", problem.message, "; the value at hand serves on" if kept.value else "")
        else:
            kept.failure, kept.read_at = None, self._clock()
        kept.tried_at = self._clock()
