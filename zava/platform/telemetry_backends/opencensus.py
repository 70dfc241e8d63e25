"""Delivery to Application Insights by `opencensus-ext-azure`: the one module that imports it.

The package was retired in 2024, so the parts of it that are sound are used and the others are not. Sound are its
transport (statuses, redirects, partial success, Entra ID) and its local storage (leases, a cap, an age). Its exporters
are not: they call home when they are made, `flush` does not, log handlers raise on Python 3.13, a refused connection
loses the batch, distributions are dropped, and nothing is redacted. `queued.py` and `envelopes.py` take their place.
"""

from __future__ import annotations

import logging
import os
import stat
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from zava.platform.telemetry_backends.envelopes import Envelope
from zava.platform.telemetry_backends.queued import Delivery, Outcome

_MOST_STORED_BYTES = 50 * 1024 * 1024
_STORED_SECONDS = 2 * 24 * 3_600
_LEASE_SECONDS = 30

_log = logging.getLogger(__name__)


class TokenSource(Protocol):
    """Where tokens come from; asked in the telemetry's own thread."""

    def get_token_info(self, scope: str, /) -> Any: ...


def open_delivery(
    endpoint: str, folder: Path, credential: TokenSource | None = None, *, pause: float = 10.0, timeout: float = 3.0
) -> Delivery:
    """The package's transport and storage, made into one that keeps what it cannot send.

    While the endpoint is away, items are kept in `folder`, up to 50 MB and two days, also for the next process, and
    every `pause` seconds one attempt is made, of about `timeout` seconds at most.

    Args:
        credential: for a resource that takes nothing without a token (local authentication off).
    """
    from azure.core.exceptions import ClientAuthenticationError
    from opencensus.ext.azure.common.storage import LocalFileStorage
    from opencensus.ext.azure.common.transport import TransportMixin, TransportStatusCode

    # It warns of every batch; the once that matters is said below.
    logging.getLogger("opencensus").setLevel(logging.CRITICAL)

    class Tokens:
        def get_token(self, scope: str) -> Any:
            assert credential is not None  # noqa: S101
            try:
                return credential.get_token_info(scope)
            except Exception as problem:
                # The one error that the transport takes for a reason to try again later.
                raise ClientAuthenticationError("no token for telemetry") from problem

    class KeepingDelivery(TransportMixin):
        def __init__(self) -> None:
            self.storage = LocalFileStorage(
                str(_own_folder(folder)), _MOST_STORED_BYTES, retention_period=_STORED_SECONDS, source="zava"
            )
            tokens = None if credential is None else Tokens()
            self.options = SimpleNamespace(endpoint=endpoint, credential=tokens, proxies="{}", timeout=timeout)
            self._consecutive_redirects = 0
            self._away_until: float | None = None

        def _check_stats_collection(self) -> bool:
            # Nothing is collected, since no exporter is made; but without it the transport takes a refused connection
            # for a batch to drop.
            return True

        def send(self, envelopes: list[Envelope]) -> Outcome:
            if not envelopes:
                return "delivered"
            if self._away_until is not None and time.monotonic() < self._away_until:
                return self._store(envelopes)
            outcome = self._transmit(envelopes)
            if outcome == TransportStatusCode.RETRY:
                return self._store(envelopes, failed=True)
            if self._away_until is not None:
                self._away_until = None
                _log.warning("telemetry is being delivered again")
            return "delivered" if outcome == TransportStatusCode.SUCCESS else "lost"

        def send_stored(self) -> None:
            if self._away_until is not None and time.monotonic() < self._away_until:
                return
            for blob in self.storage.gets():
                if not blob.lease(_LEASE_SECONDS):
                    continue
                if self._transmit(blob.get()) == TransportStatusCode.RETRY:
                    blob.lease(0)
                    self._failed()
                    return
                blob.delete()
                self._away_until = None

        def _store(self, envelopes: list[Envelope], *, failed: bool = False) -> Outcome:
            if failed:
                self._failed()
            return "stored" if self.storage.put(envelopes) is not None else "lost"

        def _failed(self) -> None:
            if self._away_until is None:
                _log.warning("telemetry cannot be delivered; it is kept on disk and sent later")
            self._away_until = time.monotonic() + pause

        def close(self) -> None:
            self.storage.close()

    return KeepingDelivery()


def _own_folder(folder: Path) -> Path:
    """`folder` if it is this user's alone, else a new one. Its name can be guessed and its parent is everybody's, so
    somebody else on the machine may have made it first, to read what is kept there."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except FileExistsError:  # a file, or a link to nowhere
        return Path(tempfile.mkdtemp(prefix="zava-telemetry-"))
    found = folder.lstat()
    is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return folder if is_own else Path(tempfile.mkdtemp(prefix="zava-telemetry-"))
