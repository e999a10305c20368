"""A network stream that listens while it talks.

httpcore's own stream writes the whole request and only then looks for an answer. For an upload
that is the wrong way round: a store that refuses an expired URL says so at the first byte, and on
a student's uplink the fifty megabytes sent after that are minutes (O03). This stream

- waits a moment after a header block with `Expect: 100-continue`, so that a refusal costs no body;
- watches for an answer between and during writes, and stops writing when there is one;
- gives up when nothing moves for too long, and never because the whole takes long (N05, N11);
- asks `cancel` all the while.

It stops a write by raising `httpcore.WriteError`, which httpcore takes as "read the answer now";
what was read early is handed out first. It works on the socket itself, non-blocking, the same with
and without TLS: a TLS socket may be readable without there being anything to read (session
tickets), so readiness is only a hint and `recv` decides.
"""

from __future__ import annotations

import fcntl
import select
import socket
import ssl
import struct
import termios
from collections.abc import Iterable
from typing import Any, Literal

import httpcore

from cadenza_client._wire._exchange import CURRENT, Exchange

__all__ = ["ListeningBackend", "ListeningStream", "answer_in"]

_READ_BYTES = 64 * 1024
_WATCH_EVERY_BYTES = 256 * 1024
_NOTHING_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def answer_in(received: bytes | bytearray) -> Literal["nothing", "continue", "final"]:
    """What an incomplete answer says so far: nothing, `100 Continue`, or a final status line."""
    seen: Literal["nothing", "continue"] = "nothing"
    while received:
        line, complete, _ = received.partition(b"\r\n")
        if not complete:
            return seen
        version, _, rest = line.partition(b" ")
        status = rest[:3]
        # Whatever is not an interim answer is for httpcore's parser to judge, garbage included.
        if not version.startswith(b"HTTP/") or not status.startswith(b"1") or status == b"101":
            return "final"
        if status == b"100":
            seen = "continue"
        _, complete, received = received.partition(b"\r\n\r\n")
        if not complete:
            return seen
    return seen


class ListeningStream(httpcore.NetworkStream):
    """One connection."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner
        self._socket: socket.socket = inner.get_extra_info("socket")
        self._socket.setblocking(False)
        self._readable = select.poll()
        self._readable.register(self._socket, select.POLLIN)
        self._readable_or_writable = select.poll()
        self._readable_or_writable.register(self._socket, select.POLLIN | select.POLLOUT)
        self._early = bytearray()
        self._ended = False
        self._exchange: Exchange | None = None
        self._wrote_head = False
        self._wrote_bytes = 0

    # ── writing ────────────────────────────────────────────────────────────────────────────────

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write it all, unless the other side answers first."""
        del timeout  # the exchange knows better: what counts is movement
        if not buffer:
            return
        exchange = CURRENT.get()
        if self._exchange is not exchange:
            # The first write of a request is its header block.
            self._exchange, self._wrote_head, self._wrote_bytes = exchange, False, 0
            exchange.counts_on_the_wire = True
        if not self._wrote_head:
            self._send(buffer, exchange, is_body=False)
            self._wrote_head = True
            return
        if self._wrote_bytes == 0 and exchange.continue_seconds > 0:
            self._await_continue(exchange)
        self._send(buffer, exchange, is_body=True)

    def _send(self, buffer: bytes, exchange: Exchange, *, is_body: bool) -> None:
        left = memoryview(buffer)
        unwatched_bytes = _WATCH_EVERY_BYTES
        exchange.moved()
        while left:
            # TLS takes 16 KiB at a time: looking around costs more than sending that.
            if unwatched_bytes >= _WATCH_EVERY_BYTES:
                unwatched_bytes = 0
                exchange.check_cancelled()
                if is_body and self._has_answered():
                    raise httpcore.WriteError("answered before the end of the body")
            try:
                taken = self._socket.send(left)
            except _NOTHING_YET:
                patience = exchange.patience_to_send()
                if patience <= 0:
                    raise httpcore.WriteTimeout("nothing moved") from None
                self._wait_for_either(min(patience, exchange.poll_seconds))
                unwatched_bytes = _WATCH_EVERY_BYTES
                continue
            except OSError as error:
                raise httpcore.WriteError(str(error)) from error
            left = left[taken:]
            unwatched_bytes += taken
            exchange.moved()
            if is_body:
                self._wrote_bytes += taken
                if exchange.report_is_due():
                    exchange.report(max(0, self._wrote_bytes - self._in_flight_bytes()))

    def _await_continue(self, exchange: Exchange) -> None:
        until = exchange.monotonic() + exchange.continue_seconds
        while answer_in(self._early) == "nothing" and not self._ended:
            exchange.check_cancelled()
            left = until - exchange.monotonic()
            if left <= 0:
                # RFC 9110 §10.1.1: a server need not answer, and a client must not wait for ever.
                return
            self._wait_for_bytes(min(left, exchange.poll_seconds))
            self._has_answered()

    def _has_answered(self) -> bool:
        if not self._ended and self._wait_for_bytes(0):
            try:
                received = self._receive(_READ_BYTES)
            except httpcore.ReadError:
                received = b""
            if received is not None:
                self._early += received
                self._ended = not received
        return self._ended or answer_in(self._early) == "final"

    # ── reading ────────────────────────────────────────────────────────────────────────────────

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes of the answer; b"" at its end."""
        del timeout
        if self._early:
            received = bytes(self._early[:max_bytes])
            del self._early[:max_bytes]
            return received
        exchange = CURRENT.get()
        in_flight = self._in_flight_bytes()
        while not self._ended:
            found = self._receive(max_bytes)
            if found is not None:
                exchange.moved()
                return found
            exchange.check_cancelled()
            still = self._in_flight_bytes()
            if still < in_flight:
                exchange.moved()
                exchange.report(max(0, self._wrote_bytes - still))
            in_flight = still
            patience = exchange.patience_to_receive(in_flight=still > 0)
            if patience <= 0:
                raise httpcore.ReadTimeout("no answer in time")
            self._wait_for_bytes(min(patience, exchange.poll_seconds))
        return b""

    def _receive(self, max_bytes: int) -> bytes | None:
        """What is there; b"" at the end; None when there is nothing yet."""
        try:
            return self._socket.recv(max_bytes)
        except _NOTHING_YET:
            return None
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    # ── the socket ─────────────────────────────────────────────────────────────────────────────

    def _wait_for_bytes(self, seconds: float) -> bool:
        """Whether there is something to read, or the end."""
        return bool(self._readable.poll(_milliseconds(seconds)))

    def _wait_for_either(self, seconds: float) -> None:
        """Until something can be read or written."""
        self._readable_or_writable.poll(_milliseconds(seconds))

    def _in_flight_bytes(self) -> int:
        """What the kernel has taken from us and the other side has not acknowledged."""
        try:
            raw = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        except (OSError, ValueError):  # a system that does not say, or a socket already closed
            return 0
        return int(struct.unpack("=i", raw)[0])

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """The same connection with TLS on it."""
        return ListeningStream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What httpcore wants to know of an idle connection."""
        if info == "is_readable" and (self._early or self._ended):
            return True
        return self._inner.get_extra_info(info)


class ListeningBackend(httpcore.NetworkBackend):
    """Opens listening connections."""

    def __init__(self, inner: httpcore.NetworkBackend | None = None) -> None:
        self._inner = inner or httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Open one connection."""
        return ListeningStream(
            self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        )


def _milliseconds(seconds: float) -> int:
    # Never rounded to nothing: a wait that does not wait is a busy loop.
    return max(1, round(seconds * 1000)) if seconds > 0 else 0
