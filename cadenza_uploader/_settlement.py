"""The end of a claim: exactly one outcome is written, and everybody who should know is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from cadenza_uploader._classify import Action, Decision
from cadenza_uploader._faults import Fault
from cadenza_uploader._journey import Journey, World
from cadenza_uploader._queue import Setback, TakeQueue
from cadenza_uploader._settings import Settings
from cadenza_uploader._states import FailCode, Hold, Stage
from cadenza_uploader.errors import StaleLeaseError
from cadenza_uploader.events import (
    Observer,
    QueueHeld,
    TakeDelayed,
    TakeFailed,
    TakeReleased,
)

Result = Literal["uploaded", "delayed", "released", "failed", "stale"]


@dataclass(frozen=True, slots=True)
class Carried:
    """How a claim ended.

    Attributes:
        result: the outcome that was written; `stale` when the take was no longer ours.
        hold: set when the whole queue has to wait.
        pause_seconds: the server's wish to be left alone, for every take (S02).
    """

    result: Result
    hold: Hold | None = None
    pause_seconds: float = 0.0


class Settlement:
    """Writes how a claim ended.

    Args:
        queue: where outcomes are written, fenced by the lease.
        settings: attempts and back-off.
        observer: told of the outcome.
        world: clock and randomness.
    """

    def __init__(
        self, queue: TakeQueue, *, settings: Settings, observer: Observer, world: World
    ) -> None:
        self._queue = queue
        self._backoff = settings.durations.backoff
        self._max_attempts = settings.max_attempts
        self._observer = observer
        self._world = world

    def settle(self, journey: Journey, fault: Fault, decision: Decision) -> Carried:
        take, policy = journey.take, self._backoff
        setback = Setback(fault.answer.code or f"http_{fault.answer.status}", fault.sentence)
        if fault.may_have_arrived and take.stage is Stage.RECORDED:
            take = journey.take = replace(take, create_sent=True)
        try:
            if decision.action is Action.HOLD:
                assert decision.hold is not None
                return self.release(journey, setback, decision.hold)
            if decision.action is Action.FAIL:
                assert decision.fail is not None
                pace = policy.slow_seconds if decision.fail.needs_user else policy.exhausted_seconds
                return self._fail(journey, decision.fail, setback, pace)
            is_last = take.attempts + 1 >= self._max_attempts
            # While nothing listens at the store, that is no fault of the take's: it is asked for
            # ever more seldom and never given up (I7, NET-2).
            counted = not (is_last and fault.answer.code == "unreachable")
            if is_last and counted:
                code = FailCode.ATTEMPTS_EXHAUSTED
                return self._fail(journey, code, setback, policy.exhausted_seconds)
            delay = policy.delay_seconds(
                take.attempts + 1,
                hint_seconds=fault.retry_after_seconds,
                random=self._world.random,
            )
            due_ms = self._world.now_ms() + round(delay * 1000)
            after = self._queue.delayed(
                take, setback, due_ms, attempts=journey.spent(counted=counted), counted=counted
            )
        except StaleLeaseError:
            return Carried("stale")
        assert after.due_at is not None
        # A server that asks for time asks for all of us, not for this take (S02).
        pause = fault.retry_after_seconds or 0.0
        self._observer(
            TakeDelayed(take.id, setback.code, setback.sentence, after.attempts, after.due_at)
        )
        return Carried("delayed", pause_seconds=pause)

    def _fail(
        self, journey: Journey, code: FailCode, setback: Setback, pace_seconds: float
    ) -> Carried:
        counted = code is FailCode.ATTEMPTS_EXHAUSTED
        self._queue.failed(
            journey.take,
            code,
            setback,
            self._world.now_ms() + round(pace_seconds * 1000),
            attempts=journey.spent(counted=counted),
        )
        self._observer(TakeFailed(journey.take.id, code.value, setback.sentence, code.needs_user))
        return Carried("failed")

    def release(self, journey: Journey, setback: Setback, hold: Hold | None) -> Carried:
        try:
            self._queue.released(journey.take, setback, attempts=journey.spent())
        except StaleLeaseError:
            return Carried("stale")
        if hold is not None:
            self._queue.hold_queue(hold, setback.sentence)
            self._observer(QueueHeld(hold, setback.sentence))
        self._observer(TakeReleased(journey.take.id, hold, setback.code, setback.sentence))
        return Carried("released", hold)
