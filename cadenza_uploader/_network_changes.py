"""A hint from the kernel that links, addresses or routes changed (Linux, rtnetlink).

Only a hint: the probe decides, and a device without it is found by the probe's own pace.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress

#: RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE
_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400


class NetworkChanges:
    """A descriptor that becomes readable when the network changes, where there is such a thing."""

    def __init__(self) -> None:
        self._socket = _subscribe()

    @property
    def descriptors(self) -> list[int]:
        """What to wait on: one descriptor, or none."""
        return [self._socket.fileno()] if self._socket is not None else []

    def drain(self) -> None:
        """Read what is there, so that the next change is noticed again."""
        if self._socket is None:
            return
        # ENOBUFS tells that changes were dropped: a change all the same.
        with suppress(BlockingIOError, OSError):
            while self._socket.recv(65536):
                pass

    def close(self) -> None:
        """Stop listening."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _subscribe() -> socket.socket | None:
    if sys.platform != "linux":
        return None
    try:
        listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except OSError:
        return None
    try:
        listener.setblocking(False)
        listener.bind((0, _GROUPS))
    except OSError:
        listener.close()
        return None
    return listener
