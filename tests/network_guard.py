"""Refuses every connection that leaves this machine, so that no test can depend on the network or disturb it."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_getaddrinfo = socket.getaddrinfo
_NAMES = {None, "", "localhost", b"localhost"}
# Names of services with a stand-in, each with a loopback address of its own, and where that leads.
_addresses: dict[str, str] = {}
_ports: dict[str, int] = {}


def route(host: str, port: int) -> None:
    """Let connections to `host` reach a stand-in on loopback: its name, SNI and certificate stay the real ones."""
    address = _addresses.setdefault(host, f"127.77.0.{len(_addresses) + 1}")
    _ports[address] = port


def _routed(address: Any) -> Any:
    return ("127.0.0.1", _ports[address[0]]) if address[0] in _ports else address


class OutsideWorldError(OSError):
    pass


def _check(host: object) -> None:
    if host in _NAMES:
        return
    name = host.decode() if isinstance(host, bytes) else str(host)
    try:
        if ipaddress.ip_address(name.partition("%")[0]).is_loopback:
            return
    except ValueError:
        pass
    raise OutsideWorldError(f"a test tried to reach {name}")


def install() -> None:
    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _check(address[0])
            address = _routed(address)
        _connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _check(address[0])
            address = _routed(address)
        return _connect_ex(self, address)

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name in _addresses:
            return _getaddrinfo(_addresses[name], *arguments, **options)
        _check(host)
        return _getaddrinfo(host, *arguments, **options)

    socket.socket.connect = connect
    socket.socket.connect_ex = connect_ex
    socket.getaddrinfo = getaddrinfo
