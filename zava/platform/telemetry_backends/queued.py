"""One thread that takes items from one bounded queue, makes them envelopes, and hands these to a delivery.

Callers only ever put: nothing they do waits for the network, and what waits is bounded. What a delivery stands on is
imported by the thread, with the first item, so that no call waits for that either.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from zava.platform.logs import LogLine
from zava.platform.telemetry import Dimension
from zava.platform.telemetry_backends.aggregates import Aggregates
from zava.platform.telemetry_backends.envelopes import Envelope, Envelopes
from zava.platform.telemetry_backends.exported_span import exported

MOST_WAITING = 8_192
_MOST_AT_ONCE = 100


Outcome: TypeAlias = Literal["delivered", "stored", "lost"]


class Delivery(Protocol):
    """Used by one thread alone."""

    def send(self, envelopes: list[Envelope]) -> Outcome: ...

    def send_stored(self) -> None:
        """Try again what could not be sent, if it is time to."""
        ...

    def close(self) -> None: ...


class _Marker:
    """Put behind what waits; set when all before it was dealt with."""

    def __init__(self, *, last: bool = False) -> None:
        self.last = last
        self.delivered = False
        self.reached = threading.Event()


_Item = Callable[[Envelopes], Envelope]


class QueuedTelemetry(SpanProcessor):
    """Takes spans, log lines, events and measurements, and sends them every `interval` seconds.

    When the queue is full, items are dropped, and counted as `telemetry_lost`.

    Args:
        open_delivery: called once, in the thread.
        metrics_interval: seconds over which measurements are put together.
    """

    def __init__(
        self,
        envelopes: Envelopes,
        open_delivery: Callable[[], Delivery],
        *,
        interval: float = 2.0,
        metrics_interval: float = 15.0,
    ) -> None:
        self._envelopes = envelopes
        self._open_delivery = open_delivery
        self._interval = interval
        self._metrics_interval = metrics_interval
        self._queue: queue.Queue[_Item | _Marker] = queue.Queue(MOST_WAITING)
        self._aggregates = Aggregates()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = False

    @property
    def processor(self) -> SpanProcessor:
        """What belongs under a tracer provider."""
        return self

    def event(self, name: str, /, **dimensions: Dimension) -> None:
        at = time.time()
        self._put(lambda envelopes: envelopes.of_event(name, dimensions, at))

    def count(self, name: str, amount: int = 1, /, **dimensions: Dimension) -> None:
        self.record(name, amount, **dimensions)

    def record(self, name: str, value: float, /, **dimensions: Dimension) -> None:
        if not self._ended:
            self._aggregates.add(name, value, dimensions)
            self._start()

    def log(self, line: LogLine) -> None:
        self._put(lambda envelopes: envelopes.of_log(line))

    def on_end(self, span: ReadableSpan) -> None:
        """OpenTelemetry's: a span has ended."""
        if span.context is not None and span.context.trace_flags.sampled:
            self._put(lambda envelopes: envelopes.of_span(exported(span)))

    def flush(self, timeout: float) -> bool:
        return self._wait(_Marker(), timeout)

    def shutdown(self, timeout: float = 2.0) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self._ended:
            return True
        self._ended = True
        return self._wait(_Marker(last=True), timeout)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """OpenTelemetry's name for it."""
        return self.flush(timeout_millis / 1_000)

    def _wait(self, marker: _Marker, timeout: float) -> bool:
        if self._thread is None:
            return True
        try:
            self._queue.put_nowait(marker)
        except queue.Full:
            return False
        return marker.reached.wait(timeout) and marker.delivered

    def _put(self, item: _Item) -> None:
        if self._ended:
            return
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self._aggregates.add("telemetry_lost", 1, {"reason": "queue_full"})
        self._start()

    def _start(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="zava-telemetry", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        try:
            self._deliver(self._open_delivery())
        except Exception:
            self._ended = True
            logging.getLogger(__name__).exception("telemetry ended; nothing more of it is sent")

    def _deliver(self, delivery: Delivery) -> None:
        metrics_due = time.monotonic() + self._metrics_interval
        delivered = True
        while True:
            items, marker = self._next(metrics_due)
            envelopes = [self._made(item) for item in items]
            if marker is not None or time.monotonic() >= metrics_due:
                envelopes += [self._envelopes.of_series(series) for series in self._aggregates.take()]
                metrics_due = time.monotonic() + self._metrics_interval
            for start in range(0, len(envelopes), _MOST_AT_ONCE):
                outcome = delivery.send([one for one in envelopes[start : start + _MOST_AT_ONCE] if one])
                if outcome == "lost":
                    self._aggregates.add("telemetry_lost", 1, {"reason": "refused"})
                delivered = delivered and outcome == "delivered"
            if marker is None:
                delivery.send_stored()
                continue
            marker.delivered, delivered = delivered, True
            marker.reached.set()
            if marker.last:
                delivery.close()
                return

    def _next(self, metrics_due: float) -> tuple[list[_Item], _Marker | None]:
        """What has come within the interval, or until somebody waits for it."""
        until = min(time.monotonic() + self._interval, metrics_due)
        items: list[_Item] = []
        while len(items) < _MOST_AT_ONCE:
            try:
                item = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if isinstance(item, _Marker):
                return items, item
            items.append(item)
        return items, None

    def _made(self, item: _Item) -> Envelope | None:
        try:
            return item(self._envelopes)
        except Exception:  # noqa: BLE001  (one item that cannot be told of must not end the telling)
            self._aggregates.add("telemetry_lost", 1, {"reason": "unreadable"})
            return None
