"""Refuses every connection that leaves this machine, so that no test can depend on the network or disturb it."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_getaddrinfo = socket.getaddrinfo
_NAMES = {None, "", "localhost", b"localhost"}


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
        _connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _check(address[0])
        return _connect_ex(self, address)

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        _check(host)
        return _getaddrinfo(host, *arguments, **options)

    socket.socket.connect = connect
    socket.socket.connect_ex = connect_ex
    socket.getaddrinfo = getaddrinfo
