"""The uploader of a queue: own it, send what is due, wait for a reason to look again.

`run` is the daemon, `drain` empties the queue and returns; both are the same shift.
"""

from __future__ import annotations

import os
import random as random_module
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cadenza_uploader._credentials import CredentialStore, credential_store
from cadenza_uploader._instance import Instance, wake_daemon
from cadenza_uploader._journey import World
from cadenza_uploader._policy import is_metered
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._readiness import Readiness
from cadenza_uploader._service_notify import ServiceNotify
from cadenza_uploader._settings import Settings
from cadenza_uploader._shift import Shift
from cadenza_uploader._signals import Stop
from cadenza_uploader._states import Hold, Status
from cadenza_uploader.events import Observer, Silent, UploaderIdle, UploaderStopping

if TYPE_CHECKING:
    from cadenza_client import CadenzaClient


_SPELL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class DrainReport:
    """What a drain achieved.

    Attributes:
        uploaded: ids confirmed by the server.
        failed: ids that need the user or the slow pace.
        delayed: ids that wait for their next try.
        held: why the queue as a whole waits, if it does.
        remaining: unsent takes of those asked for.
    """

    uploaded: tuple[str, ...]
    failed: tuple[str, ...]
    delayed: tuple[str, ...]
    held: Hold | None
    remaining: int


class Daemon:
    """The one uploader of a queue.

    Args:
        queue: the queue; its home holds the locks.
        connect: makes a signed-in client; called when the uploader starts.
        settings: limits and timings.
        observer: told of everything.
        store: the stored sign-in; default: this home's.
        clock: seconds since the epoch. monotonic: seconds that never jump. random: on [0, 1).
        failpoint: named points at which a test may crash or interfere.
        metered: whether the line costs money; None when nobody knows.
        environ: where a service manager names its socket.
    """

    def __init__(
        self,
        queue: TakeQueue,
        *,
        connect: Callable[[], CadenzaClient],
        settings: Settings,
        observer: Observer | None = None,
        store: CredentialStore | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_module.random,
        failpoint: Callable[[str], None] = lambda _name: None,
        metered: Callable[[], bool | None] = is_metered,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._queue = queue
        self._connect = connect
        self._settings = settings
        self._timings = settings.durations
        self._observer = observer or Silent()
        self._monotonic = monotonic
        self._notify = ServiceNotify(
            os.environ if environ is None else environ, monotonic=monotonic
        )
        self._world = World(clock, random, failpoint)
        self._readiness = Readiness(
            queue,
            settings=settings,
            store=store or credential_store(queue.home),
            observer=self._observer,
            monotonic=monotonic,
            random=random,
            local_time=lambda: datetime.fromtimestamp(clock(), UTC).astimezone().time(),
            metered=metered,
        )

    def run(self, stop: Stop) -> None:
        """Send takes until a stop is asked for.

        Raises:
            QueueBusyError: another uploader owns this queue.
            QueueDamagedError: the database cannot be used.
        """
        home = self._queue.home
        with Instance(home, clock=self._world.clock) as instance:
            stop.on_request(lambda: wake_daemon(home))
            stop.on_request(self._notify.stopping)
            with self._shift(stop, None) as shift:
                self._notify.ready("sending takes")
                while not stop.requested:
                    shift.work()
                    if stop.requested:
                        break
                    self._notify.status(self._in_one_line())
                    seconds = self._idle_seconds()
                    wake_at = datetime.fromtimestamp(self._world.clock() + seconds, UTC)
                    self._observer(UploaderIdle(wake_at))
                    if self._wait(instance, seconds):
                        self._readiness.look_again()
            self._observer(UploaderStopping(stop.reason))

    def drain(
        self, stop: Stop, *, only: Collection[str] | None = None, wait_seconds: float = 0.0
    ) -> DrainReport:
        """Send what can be sent now and return.

        Args:
            stop: ends the drain early; work in hand is put back.
            only: restrict to these takes.
            wait_seconds: wait through back-offs that end within this time.

        Raises:
            QueueBusyError: another uploader owns this queue.
            QueueDamagedError: the database cannot be used.
        """
        deadline = self._monotonic() + wait_seconds
        with Instance(self._queue.home, clock=self._world.clock, listening=False):
            # Somebody asked: look at the network now, whatever was found before.
            self._queue.release_queue(Hold.NETWORK)
            with self._shift(stop, only) as shift:
                while not stop.requested:
                    shift.work()
                    seconds = self._seconds_to_next(only)
                    if seconds is None or self._monotonic() + seconds > deadline:
                        break
                    stop.wait(seconds)
        return self._report(shift, only)

    def _wait(self, instance: Instance, seconds: float) -> bool:
        """Wait in short spells, so that a vanished database is noticed within one (D09)."""
        deadline = self._monotonic() + seconds
        while (left := deadline - self._monotonic()) > 0:
            if instance.wait_for_wake(min(left, _SPELL_SECONDS)):
                return True
            self._notify.alive()
            self._queue.require_in_place()
        return False

    def _shift(self, stop: Stop, only: Collection[str] | None) -> Shift:
        return Shift(
            self._queue,
            connect=self._connect,
            settings=self._settings,
            observer=self._observer,
            world=self._world,
            readiness=self._readiness,
            stop=stop,
            only=only,
            alive=self._notify.alive,
        )

    def _in_one_line(self) -> str:
        counts = self._queue.counts()
        waits = f", waiting: {counts.holds[0].why}" if counts.holds else ""
        return f"{counts.unsent} unsent, {counts.uploaded} uploaded{waits}"

    def _idle_seconds(self) -> float:
        """How long nothing can be done, bounded by the poll interval."""
        holds = {hold.hold for hold in self._queue.holds()}
        if holds == {Hold.NETWORK}:
            return min(self._readiness.probe_seconds, self._timings.poll_seconds)
        if holds:
            return self._timings.poll_seconds
        seconds = self._seconds_to_next(None)
        if seconds is None:
            return self._timings.poll_seconds
        return min(seconds, self._timings.poll_seconds)

    def _seconds_to_next(self, only: Collection[str] | None) -> float | None:
        """Seconds to the next try of a take in question; None when none has a time ahead."""
        if self._queue.holds():
            return None
        if only is None:
            dues = [self._queue.next_due(after=self._world.now())]
        else:
            takes = [self._queue.get(take_id) for take_id in only]
            dues = [take.due_at for take in takes if take.status is Status.PENDING]
        now, paused = self._world.now(), self._readiness.paused_seconds
        # A time that has passed belongs to a take that cannot be claimed: nothing to wait for,
        # unless it is the server that asked us to wait.
        ahead = [(due - now).total_seconds() for due in dues if due is not None and due > now]
        if paused:
            return max(paused, min(ahead, default=0.0))
        return min(ahead, default=None)

    def _report(self, shift: Shift, only: Collection[str] | None) -> DrainReport:
        holds = self._queue.holds()
        if only is None:
            remaining = self._queue.counts().unsent
        else:
            takes = [self._queue.get(take_id) for take_id in only]
            remaining = sum(take.status is not Status.UPLOADED for take in takes)
        return DrainReport(
            uploaded=shift.ended("uploaded"),
            failed=shift.ended("failed"),
            delayed=shift.ended("delayed"),
            held=holds[0].hold if holds else None,
            remaining=remaining,
        )
