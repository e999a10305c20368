"""What leaves this process through Python's sockets, seen before it leaves.

An audit hook would see it too, but CPython 3.11 also calls one whenever a thread installs its
trace function, and two threads that start at once under coverage then meet in it (RuntimeError).
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable
from typing import Any

#: Each is called with the kind of call, the family of the socket and the host or address.
listeners: list[Callable[[str, int, Any], None]] = []


def _tell(kind: str, family: int, where: Any) -> None:
    for listener in listeners:
        listener(kind, family, where)


def install() -> None:
    """Watch every socket of this process from now on."""

    def watched(name: str, where: Callable[..., Any]) -> None:
        original = getattr(socket.socket, name)

        @functools.wraps(original)
        def method(self: socket.socket, *arguments: Any) -> Any:
            _tell(f"socket.{name}", self.family, where(*arguments))
            return original(self, *arguments)

        setattr(socket.socket, name, method)

    watched("connect", lambda address: address)
    watched("connect_ex", lambda address: address)
    watched("sendto", lambda *arguments: arguments[-1])
    watched("sendmsg", lambda *arguments: arguments[3] if len(arguments) > 3 else None)
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        _watch_look_up(name)


def _watch_look_up(name: str) -> None:
    original = getattr(socket, name)

    @functools.wraps(original)
    def look_up(host: Any, *arguments: Any, **named: Any) -> Any:
        _tell(f"socket.{name}", 0, host)
        return original(host, *arguments, **named)

    setattr(socket, name, look_up)
