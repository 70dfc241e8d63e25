"""What the process says of itself beyond its log: metrics, events and, through OpenTelemetry's own API, spans.

Like logging, it is one for the process: code says what happened, and what is installed decides where that goes. Until
something is installed it goes nowhere and costs next to nothing. `docs/telemetry.md` lists every name.

Nothing here raises, waits or does I/O. Dimensions are few and of few values each (a tool, a status, an error's code):
never a caller, a store, a text or an id.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

Dimension: TypeAlias = str | int | float | bool


class Telemetry(Protocol):
    """Where telemetry goes. Methods other than `flush` and `shutdown` return at once; none raises."""

    def event(self, name: str, /, **dimensions: Dimension) -> None:
        """Something that happened once and that somebody may want to be told of."""
        ...

    def count(self, name: str, amount: int = 1, /, **dimensions: Dimension) -> None:
        """Add to a counter."""
        ...

    def record(self, name: str, value: float, /, **dimensions: Dimension) -> None:
        """One measurement; what leaves is count, sum, least and most of an interval."""
        ...

    def flush(self, timeout: float) -> bool:
        """Send what is waiting, for at most `timeout` seconds; whether all of it was delivered."""
        ...

    def shutdown(self, timeout: float) -> bool:
        """`flush`, and then take nothing more."""
        ...


class NoTelemetry:
    """Where nothing is installed."""

    def event(self, name: str, /, **dimensions: Dimension) -> None: ...

    def count(self, name: str, amount: int = 1, /, **dimensions: Dimension) -> None: ...

    def record(self, name: str, value: float, /, **dimensions: Dimension) -> None: ...

    def flush(self, timeout: float) -> bool:  # noqa: ARG002
        return True

    def shutdown(self, timeout: float) -> bool:  # noqa: ARG002
        return True


_installed: Telemetry = NoTelemetry()


def install(telemetry: Telemetry) -> Telemetry:
    """Send everything from now on to `telemetry`; what was installed before is returned, and not shut down."""
    global _installed
    before, _installed = _installed, telemetry
    return before


def installed() -> Telemetry:
    return _installed


def event(name: str, /, **dimensions: Dimension) -> None:
    _installed.event(name, **dimensions)


def count(name: str, amount: int = 1, /, **dimensions: Dimension) -> None:
    _installed.count(name, amount, **dimensions)


def record(name: str, value: float, /, **dimensions: Dimension) -> None:
    _installed.record(name, value, **dimensions)
