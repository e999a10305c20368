"""Following the stream of events through any number of connections. Pure: no I/O, no clock.

A connection that ends is opened again after the last event that was read (`Last-Event-ID`), so
nothing is missed and nothing comes twice, unless the server has forgotten what it sent.
"""

from __future__ import annotations

from collections.abc import Collection

import pydantic

from cadenza_client._call import Call
from cadenza_client._endpoints.live import event_stream
from cadenza_client._retry import RetryPolicy, Wait, decide_call
from cadenza_client._sse import Frame, SseParser
from cadenza_client.errors import APIError, CadenzaError, CertificateError, ResponseError
from cadenza_client.models import LiveEvent

__all__ = ["Following"]

_USUAL_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 30.0


class Following:
    """One stream, from the caller's first event to the last.

    Args:
        after: go on after this event; None for what happens from now on.
        types: only events of these types; `message.*` stands for all that begin so. Empty for all.
        reconnect: whether to open a connection that ended again.
        policy: how often the first connection is tried. A later one is tried for ever: by then
            the address and the sign-in are known to be good.
    """

    def __init__(
        self,
        *,
        after: int | str | None,
        types: Collection[str],
        reconnect: bool,
        policy: RetryPolicy,
    ) -> None:
        self._last_id = None if after is None else str(after)
        self._types = frozenset(types)
        self._reconnect = reconnect
        self._policy = policy
        self._parser = SseParser()
        self._pause_seconds = _USUAL_PAUSE_SECONDS
        self._was_connected = False
        self._failures = 0

    def call(self) -> Call[None]:
        """The request for the next connection."""
        self._parser = SseParser()
        return event_stream(self._last_id)

    def read(self, part: bytes) -> list[LiveEvent]:
        """The wanted events that are complete with this part of the stream.

        Raises:
            ResponseError: it is no stream of events as we know it.
        """
        self._was_connected, self._failures = True, 0
        found: list[LiveEvent] = []
        for frame in self._parser.feed(part):
            event = _event_from(frame)
            self._last_id = frame.last_id or self._last_id
            if self._wants(event.type):
                found.append(event)
        self._pause_seconds = self._parser.retry_seconds or self._pause_seconds
        return found

    def ended(self) -> Wait | None:
        """How long to wait after the server has ended the stream; None: that was all."""
        if not self._reconnect:
            return None
        self._was_connected = True
        return self._next_wait()

    def lost(self, error: CadenzaError) -> Wait | None:
        """How long to wait after a connection failed; None: the error stands."""
        if not self._was_connected:
            self._failures += 1
            return decide_call(error, self._failures, idempotent=True, policy=self._policy)
        if not (self._reconnect and error.retryable) or isinstance(error, CertificateError):
            return None
        asked = error.retry_after_seconds if isinstance(error, APIError) else None
        wait = self._next_wait()
        return wait if asked is None else Wait(max(asked, wait.least_seconds), wait.spread_seconds)

    def _next_wait(self) -> Wait:
        # What the server asked for at least; a crowd that was cut off together comes back apart.
        spread = min(
            _LONGEST_PAUSE_SECONDS, self._pause_seconds * 2.0 ** min(self._failures, 16) / 2
        )
        self._failures += 1
        return Wait(self._pause_seconds, spread)

    def _wants(self, kind: str) -> bool:
        if not self._types:
            return True
        return kind in self._types or f"{kind.partition('.')[0]}.*" in self._types


def _event_from(frame: Frame) -> LiveEvent:
    try:
        event = LiveEvent.model_validate_json(frame.data)
    except pydantic.ValidationError:
        event = None
    if event is None:
        # Outside, so that the text of the event is not in the traceback.
        raise ResponseError("an event of the stream cannot be read")
    if event.seq is None and frame.last_id is not None and frame.last_id.isdecimal():
        return event.model_copy(update={"seq": int(frame.last_id)})
    return event
