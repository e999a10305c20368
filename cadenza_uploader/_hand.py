"""A thread with one take in hand, so that a stop never waits for a silent server (P04)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from cadenza_uploader._session import acting_for
from cadenza_uploader._settlement import Carried
from cadenza_uploader.take import Take


class Hand:
    """One take being carried.

    Args:
        take: under lease.
        carry: does the work.
        began: when, on the wall clock.
        done: the hand puts itself here when it ends, whatever way it ends.
    """

    def __init__(
        self,
        take: Take,
        carry: Callable[[Take], Carried],
        done: SimpleQueue[Hand],
        *,
        began: float,
    ) -> None:
        self.take = take
        self.began = began
        self.carried: Carried | None = None
        self.error: BaseException | None = None
        self._carry = carry
        self._done = done
        # A daemon thread: the process may leave although a server keeps it waiting.
        self._thread = threading.Thread(
            target=self._work, name=f"take-{take.short_id}", daemon=True
        )
        self._thread.start()

    def _work(self) -> None:
        try:
            with acting_for(self.take.account.user_id):
                self.carried = self._carry(self.take)
        except BaseException as error:  # noqa: BLE001 - judged by the thread that collects
            self.error = error
        self._done.put(self)


def collect(done: SimpleQueue[Hand], *, seconds: float) -> Hand | None:
    """The next hand that ended, waited for up to `seconds`."""
    try:
        return done.get(timeout=seconds)
    except Empty:
        return None
