"""One request on its way, and what is known of it when it fails.

httpcore calls back from three directions: the trace extension says which phase a request is in,
the body says how many bytes were taken, the network stream waits and writes. They all report to
the `Exchange` of the request, which is found through a context variable, because a pooled
connection outlives many requests and knows none of them.

The same variable silences the `httpx` and `httpcore` loggers for our own requests, and only for
those. At DEBUG httpcore logs every response header (a `Location` is a signed URL), and httpx logs
whole URLs at INFO (SEC-01). A filter on these loggers is the one thing this package does to a
global; a program's own httpx requests are logged as before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

from cadenza_client.errors import CancelledUploadError, Sent

__all__ = ["CURRENT", "Exchange", "mute_library_loggers"]

CURRENT: ContextVar[Exchange] = ContextVar("cadenza_exchange")

_PROGRESS_INTERVAL_SECONDS = 0.1

Phase = Literal["waiting", "connecting", "tls", "sending", "sent"]


class Exchange:
    """The state of one request.

    Args:
        monotonic: the clock, in seconds.
        idle_seconds: how long nothing may move while sending or receiving a body.
        reply_seconds: how long the answer may take once the request has left the machine; None
            when it streams, as a download does, and only idleness counts.
        deadline: when the answer must be complete at the latest, on `monotonic`.
        total_bytes: size of the body.
        continue_seconds: how long to wait for `100 Continue`; 0 to send the body at once.
        progress: called with (bytes sent, bytes in all), not more often than ten times a second.
        cancel: asked again and again; True ends the exchange.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float],
        idle_seconds: float,
        reply_seconds: float | None = None,
        deadline: float | None = None,
        total_bytes: int = 0,
        continue_seconds: float = 0.0,
        progress: Callable[[int, int], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> None:
        self.monotonic = monotonic
        self.continue_seconds = continue_seconds
        self.total_bytes = total_bytes
        self.phase: Phase = "waiting"
        self.body_complete = False
        #: Set by a stream that knows what the other side has acknowledged.
        self.counts_on_the_wire = False
        self._idle_seconds = idle_seconds
        self._reply_seconds = reply_seconds
        self._deadline = deadline
        self._progress = progress
        self._cancel = cancel
        self._moved_at = monotonic()
        self._reported_at: float | None = None
        self._reported_bytes = -1
        self._traced = False

    @property
    def poll_seconds(self) -> float:
        """How long a wait on the socket may last before somebody looks around."""
        return 1.0 if self._cancel is None else 0.2

    @contextmanager
    def active(self) -> Generator[Exchange]:
        """Make this the exchange of everything that runs inside."""
        token = CURRENT.set(self)
        try:
            yield self
        finally:
            CURRENT.reset(token)

    # ── where it is ────────────────────────────────────────────────────────────────────────────

    def trace(self, event: str, _info: dict[str, Any]) -> None:
        """Httpcore's trace extension."""
        self._traced = True
        self.phase = _PHASES.get(event, self.phase)

    async def trace_async(self, event: str, info: dict[str, Any]) -> None:
        """The same for the async pool, which awaits it."""
        self.trace(event, info)

    def sent(self) -> Sent:
        """How much of the request has left, as far as anyone can tell on this side."""
        if self.phase == "sent" or self.body_complete:
            return "all"
        if not self._traced:  # a transport of the caller's own
            return "partial" if self.total_bytes else "all"
        return "partial" if self.phase == "sending" else "nothing"

    # ── patience ───────────────────────────────────────────────────────────────────────────────

    def check_cancelled(self) -> None:
        """Stop here if the caller wants to.

        Raises:
            CancelledUploadError: `cancel` said True.
        """
        if self._cancel is not None and self._cancel():
            raise CancelledUploadError("cancelled by the caller")

    def moved(self) -> None:
        """Bytes went one way or the other."""
        self._moved_at = self.monotonic()

    def patience_to_send(self) -> float:
        """Seconds left until a silent connection is given up; there is no limit on the whole."""
        return self._moved_at + self._idle_seconds - self.monotonic()

    def patience_to_receive(self, *, in_flight: bool) -> float:
        """Seconds left to wait for more of the answer.

        The time to answer starts when the kernel has handed over the last byte, not when it took
        the last one from us: on a slow uplink megabytes of the body are still on their way then.
        """
        if in_flight or (self._deadline is None and self._reply_seconds is None):
            return self.patience_to_send()
        now = self.monotonic()
        if self._deadline is None:
            assert self._reply_seconds is not None
            self._deadline = now + self._reply_seconds
        return self._deadline - now

    # ── progress ───────────────────────────────────────────────────────────────────────────────

    def report_is_due(self) -> bool:
        """Whether the caller would be told; asked first where finding out costs something."""
        if self._progress is None:
            return False
        return (
            self._reported_at is None
            or self.monotonic() - self._reported_at >= _PROGRESS_INTERVAL_SECONDS
        )

    def report(self, done_bytes: int, *, now: bool = False) -> None:
        """Tell the caller how far it is; small steps are gathered unless `now`."""
        if self._progress is None or done_bytes <= self._reported_bytes:
            return
        if now or self.report_is_due():
            self._reported_at, self._reported_bytes = self.monotonic(), done_bytes
            self._progress(done_bytes, self.total_bytes)


_PHASES: dict[str, Phase] = {
    "connection.connect_tcp.started": "connecting",
    "connection.start_tls.started": "tls",
    "proxy.start_tls.started": "tls",
    "http11.send_request_headers.started": "sending",
    "http11.send_request_body.complete": "sent",
}


class _Mute(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - logging's signature
        return CURRENT.get(None) is None


_MUTE = _Mute()


def mute_library_loggers() -> None:
    """Keep our requests out of the HTTP libraries' logs. Doing it twice is harmless."""
    for name in ("connection", "http11", "http2", "proxy", "socks"):
        logging.getLogger(f"httpcore.{name}").addFilter(_MUTE)
    logging.getLogger("httpx").addFilter(_MUTE)
