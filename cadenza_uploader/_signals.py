"""Stopping: one event, asked for by a signal or by code, and a context that restores handlers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType


class Stop:
    """A request to stop that can be waited on; the first reason wins.

    A signal handler asks for it between any two steps of the very thread that waits. The lock
    inside `threading.Event` would then be asked for twice and never given; `SimpleQueue` is
    written to be put into from such a place.
    """

    def __init__(self) -> None:
        self._requested = False
        self._bell: SimpleQueue[None] = SimpleQueue()
        # One token: whoever takes it is first.
        self._first: SimpleQueue[None] = SimpleQueue()
        self._first.put(None)
        self._listeners: list[Callable[[], object]] = []
        self.reason = ""

    @property
    def requested(self) -> bool:
        """Whether somebody asked for a stop."""
        return self._requested

    def request(self, reason: str) -> None:
        """Ask for a stop."""
        try:
            self._first.get_nowait()
        except Empty:
            return
        self.reason = reason
        self._requested = True
        self._bell.put(None)
        for listener in self._listeners:
            listener()

    def is_set(self) -> bool:
        """The same as `requested`, in the words of `threading.Event`, for libraries."""
        return self._requested

    def on_request(self, listener: Callable[[], object]) -> None:
        """Call `listener` when a stop is asked for, to end a wait that a signal does not."""
        self._listeners.append(listener)

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds`; True when a stop was asked for."""
        if self._requested:
            return True
        try:
            self._bell.get(timeout=max(0.0, seconds))
        except Empty:
            return self._requested
        self._bell.put(None)  # for whoever else waits
        return True


@contextmanager
def stop_on_signals() -> Generator[Stop]:
    """SIGTERM and SIGINT ask for a stop; a second SIGINT leaves at once (P05).

    Handlers are restored on the way out: a library that keeps them would take Ctrl-C away
    from the program around it. Must be entered in the main thread.
    """
    stop = Stop()

    def ask(signum: int, _frame: FrameType | None) -> None:
        if signum == signal.SIGINT and stop.requested:
            # The queue is crash-only: leaving here is as safe as a power cut.
            os._exit(130)
        stop.request(signal.Signals(signum).name)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
