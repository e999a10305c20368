"""Tell a service manager that we are ready, alive and stopping (sd_notify's protocol).

A datagram to the socket it named in the environment; nothing happens where there is none.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping


class ServiceNotify:
    """The line to systemd, or to nobody.

    Args:
        environ: `NOTIFY_SOCKET` and `WATCHDOG_USEC` are read from it.
        monotonic: seconds that never jump.
    """

    def __init__(self, environ: Mapping[str, str], *, monotonic: Callable[[], float]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the abstract namespace, whose names begin with a NUL.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        watchdog = environ.get("WATCHDOG_USEC", "")
        # Half the limit: one late beat is forgiven.
        self._beat_seconds = int(watchdog) / 2e6 if watchdog.isdigit() else None
        self._monotonic = monotonic
        self._beaten_at = float("-inf")

    def ready(self, status: str) -> None:
        """The queue is owned and recovered: work begins."""
        self._say(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        self._say(f"STATUS={status}")

    def alive(self) -> None:
        """Beat the watchdog, as often as it asked and no more; a hung uploader falls silent."""
        if self._beat_seconds is None:
            return
        now = self._monotonic()
        if now - self._beaten_at >= self._beat_seconds:
            self._beaten_at = now
            self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """A stop was asked for."""
        self._say("STOPPING=1")

    def _say(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            try:
                line.sendto(message.encode(), self._address)
            except OSError:
                # The manager is gone or restarting: that is no reason to stop sending takes.
                return
