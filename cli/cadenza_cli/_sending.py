"""From a durable queue to an outcome: wake the daemon, or send in the foreground, and say so.

The takes are safe before anything here begins, so every way out of it, Ctrl-C included, loses
nothing; it only decides what the user is told and the exit code.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cadenza_cli._errors import ExitCode
from cadenza_uploader.errors import QueueBusyError, TakeNotFoundError
from cadenza_uploader.events import StageReached
from cadenza_uploader.take import FailCode, Hold, Stage, Status, Take

if TYPE_CHECKING:
    from cadenza_cli._run import Run
    from cadenza_uploader import Stop, TakeQueue
    from cadenza_uploader.events import Observer

__all__ = ["Outcome", "Sending", "exit_code", "outcome_of"]

_POLL_SECONDS = 0.2
#: How long the foreground waits through short back-offs before it leaves the take to later.
_SHORT_SECONDS = 30.0


class Outcome(StrEnum):
    """Where a take stands when the command returns."""

    #: The server confirmed it.
    UPLOADED = "uploaded"
    #: `--no-daemon`: in the queue, as asked.
    QUEUED = "queued"
    #: The running daemon has it.
    WITH_DAEMON = "with_daemon"
    #: The user paused the queue.
    PAUSED = "paused"
    #: No network.
    OFFLINE = "offline"
    #: Nobody is signed in, or the sign-in is no longer good.
    SIGN_IN = "signin_required"
    #: The connection was cut or fell silent; tried again later.
    CUT_OFF = "cut_off"
    #: The server or its store cannot take it now; tried again later.
    RETRY_LATER = "retry_later"
    #: Outside the server's limits.
    REFUSED = "refused"
    #: The server said no for good.
    REJECTED = "rejected"
    #: Something on this device needs the user.
    FAILED = "failed"
    #: It was cancelled meanwhile.
    CANCELLED = "cancelled"


_EXIT = {
    Outcome.REFUSED: ExitCode.LIMITS,
    Outcome.SIGN_IN: ExitCode.SIGN_IN,
    Outcome.REJECTED: ExitCode.SERVER,
    Outcome.FAILED: ExitCode.FAILURE,
    Outcome.CANCELLED: ExitCode.FAILURE,
    Outcome.RETRY_LATER: ExitCode.SERVER,
    Outcome.OFFLINE: ExitCode.OFFLINE,
    Outcome.CUT_OFF: ExitCode.OFFLINE,
}
#: What a script must hear first when several takes end differently: what needs a person.
_GRAVITY = (
    ExitCode.LIMITS,
    ExitCode.SIGN_IN,
    ExitCode.FAILURE,
    ExitCode.SERVER,
    ExitCode.OFFLINE,
    ExitCode.OK,
)
#: What ends by itself, so that it is worth waiting for.
_HOPEFUL = {Outcome.OFFLINE, Outcome.CUT_OFF, Outcome.RETRY_LATER, Outcome.WITH_DAEMON}
_LIMIT_FAILURES = {FailCode.LIMIT_EXCEEDED, FailCode.TOO_LARGE, FailCode.UNSUPPORTED_MEDIA}
_LOCAL_FAILURES = {
    FailCode.FILE_UNREADABLE,
    FailCode.LOCAL_FILE_CHANGED,
    FailCode.LOCAL_FILE_MISSING,
    FailCode.POISON,
    FailCode.UNSAFE_PATH,
}


#: Codes of a missing answer: the network's doing, not the server's (`_classify.py`).
_CUT_CODES = {"lost", "timeout", "unreachable"}


def exit_code(outcomes: Collection[Outcome], refusals: Collection[ExitCode] = ()) -> ExitCode:
    """The gravest exit code among several takes and among files that were never queued."""
    codes = {*refusals, *(_EXIT.get(outcome, ExitCode.OK) for outcome in outcomes)}
    return next((code for code in _GRAVITY if code in codes), ExitCode.OK)


def outcome_of(take: Take, queue_hold: Hold | None) -> Outcome:
    """Where a take stands after it was tried in the foreground."""
    if take.status is Status.UPLOADED:
        return Outcome.UPLOADED
    if take.status is Status.FAILED:
        return _failure(take.fail_code)
    hold = take.hold or queue_hold
    if hold is Hold.AUTH:
        return Outcome.SIGN_IN
    if hold is Hold.USER:
        return Outcome.PAUSED
    if hold in (Hold.NETWORK, Hold.CONSTRAINT):
        return Outcome.OFFLINE
    return Outcome.CUT_OFF if take.last_error_code in _CUT_CODES else Outcome.RETRY_LATER


def _failure(code: FailCode | None) -> Outcome:
    if code in _LIMIT_FAILURES:
        return Outcome.REFUSED
    if code in _LOCAL_FAILURES:
        return Outcome.FAILED
    if code is not None and not code.needs_user:
        return Outcome.RETRY_LATER
    return Outcome.REJECTED


@dataclass(slots=True)
class Sending:
    """Moves freshly queued takes, or watches the daemon move them.

    Attributes:
        run: the command's doors.
        queue: the open queue.
        observer: told about bytes and stages.
        wait: return only when every take is uploaded or needs the user.
        timeout_seconds: with `wait`: stop watching after so long; the takes stay queued.
    """

    run: Run
    queue: TakeQueue
    observer: Observer
    wait: bool = False
    timeout_seconds: float | None = None

    def go(self, take_ids: Sequence[str], stop: Stop) -> dict[str, Outcome]:
        """Send the takes here, or hand them to the daemon; the outcome of each."""
        from cadenza_uploader import wake_daemon

        deadline = self._deadline()
        told = False
        while not stop.requested:
            if wake_daemon(self.run.home):
                if not self.wait:
                    return self._outcomes(take_ids, with_daemon=True)
                self._follow(take_ids, stop, deadline)
                pause_seconds = 0.0
            elif self._drained(take_ids, stop):
                if not self.wait:
                    break
                pause_seconds = self._patience_seconds()
            else:
                if not told:
                    told = True
                    self.run.out.note("Another command is sending just now; yours comes next.")
                stop.wait(_POLL_SECONDS)
                if self._late(deadline):
                    break
                continue
            if self._late(deadline) or not _hopeful(self._outcomes(take_ids).values()):
                break
            stop.wait(min(pause_seconds, deadline - self.run.world.monotonic()))
        return self._outcomes(take_ids)

    def _deadline(self) -> float:
        if self.timeout_seconds is None:
            return float("inf")
        return self.run.world.monotonic() + self.timeout_seconds

    def _late(self, deadline: float) -> bool:
        return self.run.world.monotonic() >= deadline

    def _patience_seconds(self) -> float:
        """Between two tries while there is no network, or the server wants to be left alone."""
        return self.run.settings.durations.probe_cap_seconds / 4

    def _drained(self, take_ids: Sequence[str], stop: Stop) -> bool:
        """Send them from here; False when somebody else owns the queue at the moment."""
        from cadenza_uploader import Daemon

        daemon = Daemon(
            self.queue,
            connect=self.run.connect,
            settings=self.run.settings,
            observer=self.observer,
            store=self.run.credentials,
        )
        try:
            daemon.drain(stop, only=take_ids, wait_seconds=_SHORT_SECONDS)
        except QueueBusyError:
            return False
        return True

    def _follow(self, take_ids: Sequence[str], stop: Stop, deadline: float) -> None:
        """Watch the queue until the takes are settled, the daemon is gone or time is up."""
        from cadenza_uploader import daemon_status

        seen: dict[str, Stage] = {}
        while not stop.requested and not self._late(deadline):
            for take in self._takes(take_ids):
                if seen.get(take.id) is not take.stage:
                    seen[take.id] = take.stage
                    self.observer(StageReached(take.id, take.stage))
            settled = not _hopeful(self._outcomes(take_ids).values())
            if settled or not daemon_status(self.run.home).running:
                return
            stop.wait(_POLL_SECONDS)

    def _takes(self, take_ids: Sequence[str]) -> list[Take]:
        found: list[Take] = []
        for take_id in take_ids:
            # Somebody may have cancelled it meanwhile.
            with suppress(TakeNotFoundError):
                found.append(self.queue.get(take_id))
        return found

    def _outcomes(
        self, take_ids: Sequence[str], *, with_daemon: bool = False
    ) -> dict[str, Outcome]:
        """Outcome of each take; what merely waits is `with_daemon`, where one runs."""
        holds = [hold.hold for hold in self.queue.holds()]
        outcomes = dict.fromkeys(take_ids, Outcome.CANCELLED)
        for take in self._takes(take_ids):
            outcome = outcome_of(take, holds[0] if holds else None)
            if with_daemon and outcome in _HOPEFUL:
                outcome = Outcome.WITH_DAEMON
            outcomes[take.id] = outcome
        return outcomes


def _hopeful(outcomes: Collection[Outcome]) -> bool:
    """Whether waiting may still change something."""
    return any(outcome in _HOPEFUL for outcome in outcomes)
