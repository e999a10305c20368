"""One uploader at work on one queue: its lock, its client, and the takes it carries."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sqlite3
import threading
from collections.abc import Callable, Collection
from types import TracebackType
from typing import TYPE_CHECKING

from cadenza_uploader._cleaning import clean
from cadenza_uploader._disk import Ballast, DiskTrouble, sentence_for, trouble_in
from cadenza_uploader._instance import FileLock
from cadenza_uploader._journey import World
from cadenza_uploader._queue import Setback, TakeQueue
from cadenza_uploader._readiness import Readiness
from cadenza_uploader._recovery import POISON_CLAIMS, Recovered, recover
from cadenza_uploader._settings import Settings
from cadenza_uploader._settlement import Carried, Result
from cadenza_uploader._signals import Stop
from cadenza_uploader._states import Hold
from cadenza_uploader._worker import Worker
from cadenza_uploader.errors import StaleLeaseError
from cadenza_uploader.events import Observer, QueueHeld, QueueReleased, UploaderStarted
from cadenza_uploader.take import Take

if TYPE_CHECKING:
    from cadenza_client import CadenzaClient

_log = logging.getLogger("cadenza_uploader")
_INTERRUPTED = Setback("interrupted", "The outcome of the last try could not be written.")
_STOPPED = Setback("stopped", "The upload was stopped and goes on later.")
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
        # Host, process and a random part: unique without coordination, readable in a history.
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._lock_file = queue.home.workers / f"{self._owner}.lock"
        self._lock = FileLock(self._lock_file)
        self._results: dict[str, Carried] = {}
        self._abandoned = False
        self._looked_at = 0.0
        self._ballast = Ballast(queue.home)
        self._trouble: DiskTrouble | None = None

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
        def attempt() -> Recovered:
            return recover(self._queue, self._timings, world=self._world, observer=self._observer)

        try:
            return attempt()
        except sqlite3.OperationalError as error:
            if trouble_in(error) is DiskTrouble.FULL and self._ballast.release():
                return attempt()
            raise

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
        while not self._stop.requested and not self._readiness.paused_seconds:
            account = self._readiness.account(self._client)
            if account is None:
                return
            take = self._queue.claim(owner=self._owner, account=account, only=self._only)
            if take is None:
                return
            carried = self._carry(take)
            self._results[take.id] = carried
            self._readiness.note(carried)
            if carried.hold is not None:
                return

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

    def _carry(self, take: Take) -> Carried:
        """Carry on a thread of its own, so that a stop never waits for a silent server (P04)."""
        worker = Worker(
            self._queue,
            self._client,
            settings=self._settings,
            observer=self._observer,
            cancelled=self._is_cancelled,
            world=self._world,
        )
        ended: list[Carried] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                ended.append(worker.carry(take))
            except BaseException as error:  # noqa: BLE001 - judged by the thread that waits
                errors.append(error)

        thread = threading.Thread(target=work, name=f"take-{take.short_id}", daemon=True)
        thread.start()
        while thread.is_alive() and not self._stop.requested:
            thread.join(0.25)
        thread.join(self._timings.stop_grace_seconds)
        if errors:
            return self._crashed(take, errors[0])
        return ended[0] if ended else self._abandon(take)

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
        """Polled while bytes flow: a stop at once, a pause within a second (N20)."""
        if self._stop.requested:
            return True
        now = self._world.clock()
        if abs(now - self._looked_at) < _PAUSE_LOOK_SECONDS:
            return False
        self._looked_at = now
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
