"""One uploader at work on one queue: its lock, its client, and the takes it carries."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sqlite3
import time
from collections.abc import Callable, Collection
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING

from cadenza_uploader._cleaning import clean
from cadenza_uploader._disk import Ballast, DiskTrouble, sentence_for, trouble_in
from cadenza_uploader._hand import Hand, collect
from cadenza_uploader._instance import FileLock
from cadenza_uploader._journey import World
from cadenza_uploader._lanes import Lanes
from cadenza_uploader._queue import Setback, TakeQueue
from cadenza_uploader._readiness import Readiness
from cadenza_uploader._recovery import POISON_CLAIMS, Recovered, recover
from cadenza_uploader._settings import Settings
from cadenza_uploader._settlement import Carried, Result
from cadenza_uploader._signals import Stop
from cadenza_uploader._states import FailCode, Hold
from cadenza_uploader._worker import Worker
from cadenza_uploader.errors import StaleLeaseError
from cadenza_uploader.events import Observer, QueueHeld, QueueReleased, UploaderStarted
from cadenza_uploader.take import Take

if TYPE_CHECKING:
    from cadenza_client import CadenzaClient

_log = logging.getLogger("cadenza_uploader")
_INTERRUPTED = Setback("interrupted", "The outcome of the last try could not be written.")
_STOPPED = Setback("stopped", "The upload was stopped and goes on later.")
_REFUSED = "The server refuses everything you send. Sign in again: cadenza login"
_FORBIDDEN_IN_A_ROW = 3
#: How soon a stop is noticed while takes are being carried.
_LOOK_SECONDS = 0.25
#: How often a running upload looks whether the user paused the queue.
_PAUSE_LOOK_SECONDS = 1.0


class Shift:
    """From recovery to the last put-back. Needs the instance lock around it.

    Args:
        queue: the queue.
        connect: makes the signed-in client.
        settings: limits and timings.
        observer: told of everything.
        world: clock, randomness, failpoints.
        readiness: whether anything may be sent now.
        stop: ends the work.
        only: restrict to these takes.
        alive: called often while takes are carried, for a watchdog.
    """

    def __init__(
        self,
        queue: TakeQueue,
        *,
        connect: Callable[[], CadenzaClient],
        settings: Settings,
        observer: Observer,
        world: World,
        readiness: Readiness,
        stop: Stop,
        only: Collection[str] | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._queue = queue
        self._connect = connect
        self._settings = settings
        self._timings = settings.durations
        self._observer = observer
        self._world = world
        self._readiness = readiness
        self._stop = stop
        self._only = only
        self._alive = alive
        # Host, process and a random part: unique without coordination, readable in a history.
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._lock_file = queue.home.workers / f"{self._owner}.lock"
        self._lock = FileLock(self._lock_file)
        self._results: dict[str, Carried] = {}
        self._abandoned = False
        self._looked_at = 0.0
        self._ballast = Ballast(queue.home)
        self._trouble: DiskTrouble | None = None
        self._lanes = Lanes(settings.concurrency)
        self._done: SimpleQueue[Hand] = SimpleQueue()
        self._forbidden: list[str] = []

    def __enter__(self) -> Shift:
        self._lock.acquire()
        self._queue.own()
        recovered = self._recover()
        self._ballast.ensure()
        self._client = self._connect()
        self._observer(UploaderStarted(os.getpid(), len(recovered)))
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._abandoned:
            self._client.close()
            if exc_type is None and self._trouble is None:
                self._queue.tidy()
        self._lock_file.unlink(missing_ok=True)
        self._lock.release()

    def _recover(self) -> Recovered:
        """Recover; wait for whoever locks the queue, make room on a full disk (D02, D06)."""
        while True:
            try:
                return recover(
                    self._queue, self._timings, world=self._world, observer=self._observer
                )
            except sqlite3.OperationalError as error:
                trouble = trouble_in(error)
                if trouble is DiskTrouble.FULL and self._ballast.release():
                    continue
                if trouble is not DiskTrouble.BUSY or self._stop.wait(_LOOK_SECONDS):
                    raise
                self._observer(QueueHeld(Hold.DISK, sentence_for(trouble)))

    def ended(self, result: Result) -> tuple[str, ...]:
        """Ids whose last claim ended so."""
        return tuple(i for i, carried in self._results.items() if carried.result == result)

    def work(self) -> None:
        """Carry takes until none may be claimed, the queue is held, or a stop is asked for.

        Raises:
            QueueDamagedError: the database was removed or replaced while in use (D09).
        """
        self._queue.require_in_place()
        try:
            self._put_back_strays()
            self._queue.clamp_due(self._timings.backoff)
            self._queue.revive_due()
            self._clean_leftovers()
            self._relieved()
            self._carry_all()
        except sqlite3.OperationalError as error:
            trouble = trouble_in(error)
            if trouble is None:
                raise
            self._suffer(trouble)

    def _carry_all(self) -> None:
        """Keep the lanes busy; one that brings a hold or trouble lets the others finish."""
        hands, closed, trouble = set[Hand](), False, None
        while True:
            while not closed and len(hands) < self._lanes.open and (take := self._next()):
                hands.add(Hand(take, self._worker().carry, self._done, began=self._world.clock()))
            if not hands:
                break
            if self._stop.requested:
                self._let_go(hands)
                return
            self._alive()
            hand = collect(self._done, seconds=_LOOK_SECONDS)
            if hand is None or hand not in hands:
                continue
            hands.remove(hand)
            try:
                closed |= self._settled(hand)
            except sqlite3.OperationalError as error:
                closed, trouble = True, error
        if trouble is not None:
            raise trouble

    def _next(self) -> Take | None:
        if self._stop.requested or self._readiness.paused_seconds:
            return None
        account = self._readiness.account(self._client)
        if account is None:
            return None
        return self._queue.claim(owner=self._owner, account=account, only=self._only)

    def _settled(self, hand: Hand) -> bool:
        """Take note of how a claim ended; True when the queue has to wait."""
        if hand.error is not None:
            carried = self._crashed(hand.take, hand.error)
        else:
            assert hand.carried is not None
            carried = hand.carried
        self._results[hand.take.id] = carried
        self._readiness.note(carried)
        if carried.result == "uploaded":
            self._lanes.succeeded(hand.take.size_bytes, self._world.clock() - hand.began)
        else:
            self._lanes.set_back()
        return carried.hold is not None or self._refused_everywhere(hand.take, carried)

    def _refused_everywhere(self, take: Take, carried: Carried) -> bool:
        """Three takes in a row forbidden: it is the sign-in, not the takes (§2.0)."""
        now = self._queue.get(take.id)
        if carried.result != "failed" or now.fail_code is not FailCode.FORBIDDEN:
            self._forbidden.clear()
            return False
        self._forbidden.append(take.id)
        if len(self._forbidden) < _FORBIDDEN_IN_A_ROW:
            return False
        for take_id in self._forbidden:
            self._queue.retry(take_id)
        self._forbidden.clear()
        self._queue.hold_queue(Hold.AUTH, _REFUSED)
        self._observer(QueueHeld(Hold.AUTH, _REFUSED))
        return True

    def _let_go(self, hands: set[Hand]) -> None:
        """A stop was asked for: give the hands their grace, then put back what they hold."""
        deadline = time.monotonic() + self._timings.stop_grace_seconds
        while hands and (left := deadline - time.monotonic()) > 0:
            hand = collect(self._done, seconds=left)
            if hand is None:
                break
            hands.discard(hand)
            self._settled(hand)
        for hand in hands:
            self._results[hand.take.id] = self._abandon(hand.take)

    def _suffer(self, trouble: DiskTrouble) -> None:
        """The disk does not let us write: make room if we can, and come back (D02, D03, D05)."""
        if self._trouble is not trouble:
            self._observer(QueueHeld(Hold.DISK, sentence_for(trouble)))
        self._trouble = trouble
        if trouble is DiskTrouble.FULL and self._ballast.release():
            # Room for a few rows: finish what is confirmed, which frees whole recordings.
            self._clean_leftovers()
        elif trouble is DiskTrouble.IO:
            # What failed to sync is unknown; only a new connection reads what is really there.
            self._queue.reopen()

    def _relieved(self) -> None:
        """Writes work again: lay the ballast anew and say so."""
        if self._trouble is not None:
            self._trouble = None
            self._observer(QueueReleased(Hold.DISK))
        self._ballast.ensure()

    def _put_back_strays(self) -> None:
        """Takes leased to us that nobody is carrying: their outcome could not be written."""
        for take, owner in self._queue.leased():
            if owner == self._owner:
                self._queue.released(take, _INTERRUPTED)

    def _worker(self) -> Worker:
        return Worker(
            self._queue,
            self._client,
            settings=self._settings,
            observer=self._observer,
            cancelled=self._is_cancelled,
            world=self._world,
        )

    def _crashed(self, take: Take, error: BaseException) -> Carried:
        """A bug in one take's work must not stop the others, nor hide (P10)."""
        if not isinstance(error, Exception) or trouble_in(error) is not None:
            raise error
        _log.error(
            "take_crashed",
            extra={"take_id": take.id, "error": type(error).__name__},
            exc_info=error,
        )
        backoff = self._timings.backoff
        now_ms = self._world.now_ms()
        delay = backoff.delay_seconds(take.claims, hint_seconds=None, random=self._world.random)
        try:
            self._queue.reclaim(
                take,
                poison_claims=POISON_CLAIMS,
                due_ms=now_ms + round(delay * 1000),
                slow_due_ms=now_ms + round(backoff.slow_seconds * 1000),
            )
        except StaleLeaseError:
            return Carried("stale")
        except sqlite3.OperationalError:
            # Not even that can be written now: `_put_back_strays` does it when it can.
            return Carried("delayed")
        return Carried("failed" if take.claims >= POISON_CLAIMS else "delayed")

    def _abandon(self, take: Take) -> Carried:
        """Put back what a worker that does not stop has in hand; the epoch fences it off."""
        self._abandoned = True
        try:
            self._queue.released(take, _STOPPED)
        except (StaleLeaseError, sqlite3.OperationalError):
            return Carried("stale")
        return Carried("released")

    def _is_cancelled(self) -> bool:
        """Polled while bytes flow: a stop at once, a pause or a lost permission within a second."""
        if self._stop.requested:
            return True
        now = self._world.clock()
        if abs(now - self._looked_at) < _PAUSE_LOOK_SECONDS:
            return False
        self._looked_at = now
        if self._readiness.constraint() is not None:
            return True
        return any(hold.hold is Hold.USER for hold in self._queue.holds())

    def _clean_leftovers(self) -> None:
        for take in self._queue.to_clean():
            clean(
                self._queue,
                take,
                observer=self._observer,
                now_ms=self._world.now_ms(),
                retry_seconds=self._timings.cleanup_retry_seconds,
                failpoint=self._world.failpoint,
            )
