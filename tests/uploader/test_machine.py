"""Any sequence of steps over the real queue: the table of transitions holds, and nothing else."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from cadenza_uploader._home import Home
from cadenza_uploader._queue import Setback, TakeQueue
from cadenza_uploader._states import LEGAL_DEMOTION, LEGAL_STATUS, FailCode, Hold, Stage, Status
from cadenza_uploader.errors import IllegalStepError, StaleLeaseError
from cadenza_uploader.take import Take
from tests.uploader.world import STUDENT, Clock, add_take, receipt

BUSY = Setback("http_503", "The server is busy.")
SOON = st.integers(0, 1000)
Outcome = MultipleResults[Take] | Take


class QueueMachine(RuleBasedStateMachine):
    """A worker, a user and a clock, in any order; late workers keep their old leases."""

    leases: Bundle[Take] = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.queue = TakeQueue.open(Home(Path(self.folder.name)), clock=self.clock)
        self.added = 0
        self.before: dict[str, Take] = {}

    def teardown(self) -> None:
        self.queue.close()
        self.folder.cleanup()

    def now_ms(self, seconds: int) -> int:
        return round((self.clock.now + seconds) * 1000)

    # ── the world ──────────────────────────────────────────────────────────────────────────

    @initialize()
    def begin(self) -> None:
        self.add()

    @rule()
    def add(self) -> None:
        if self.added < 4:
            self.added += 1
            add_take(self.queue, seed=self.added)

    @rule(seconds=st.integers(-100_000, 100_000))
    def time_passes(self, seconds: int) -> None:
        self.clock.now = max(1.0, self.clock.now + seconds)

    # ── the worker ─────────────────────────────────────────────────────────────────────────

    @rule(target=leases)
    def claim(self) -> Outcome:
        take = self.queue.claim(owner="w", account=STUDENT)
        return multiple() if take is None else take

    @rule(target=leases, lease=consumes(leases))
    def register(self, lease: Take) -> Outcome:
        if lease.stage is not Stage.RECORDED:
            return lease
        return self.owned(lease, lambda: self.queue.registered(lease, lease.id, attempts=[]))

    @rule(target=leases, lease=consumes(leases))
    def store(self, lease: Take) -> Outcome:
        if lease.stage is not Stage.REGISTERED:
            return lease
        return self.owned(lease, lambda: self.queue.stored(lease, "video", '"e"', attempts=[]))

    @rule(lease=consumes(leases))
    def confirm(self, lease: Take) -> None:
        if lease.stage is Stage.STORED:
            self.owned(lease, lambda: self.queue.confirmed(lease, receipt(lease), attempts=[]))

    @rule(lease=consumes(leases), seconds=SOON)
    def delay(self, lease: Take, seconds: int) -> None:
        due = self.now_ms(seconds)
        self.owned(lease, lambda: self.queue.delayed(lease, BUSY, due, attempts=[]))

    @rule(lease=consumes(leases), hold=st.sampled_from([None, *Hold]))
    def release(self, lease: Take, hold: Hold | None) -> None:
        self.owned(lease, lambda: self.queue.released(lease, BUSY, hold=hold))

    @rule(lease=consumes(leases), code=st.sampled_from(FailCode), seconds=SOON)
    def fail(self, lease: Take, code: FailCode, seconds: int) -> None:
        due = self.now_ms(seconds)
        self.owned(lease, lambda: self.queue.failed(lease, code, BUSY, due, attempts=[]))

    @rule(target=leases, lease=consumes(leases), down=st.sampled_from(sorted(LEGAL_DEMOTION)))
    def demote(self, lease: Take, down: tuple[Stage, Stage]) -> Outcome:
        if lease.stage is not down[0]:
            return lease
        return self.owned(lease, lambda: self.queue.demoted(lease, down[1], attempts=[]))

    def owned(self, lease: Take, write: Callable[[], Take]) -> Outcome:
        """An outcome is written exactly when the lease is the take's own still (I6)."""
        now = self.queue.get(lease.id)
        mine = now.status is Status.UPLOADING and now.lease_epoch == lease.lease_epoch
        if mine:
            return write()
        with pytest.raises(StaleLeaseError):
            write()
        assert self.queue.get(lease.id) == now
        return multiple()

    # ── recovery and the user ──────────────────────────────────────────────────────────────

    @rule()
    def reclaim(self) -> None:
        for take, _ in self.queue.leased():
            self.queue.reclaim(take, poison_claims=3, slow_due_ms=self.now_ms(86_400))

    @rule()
    def revive(self) -> None:
        self.queue.revive_due()

    @rule()
    def clean(self) -> None:
        for take in self.queue.to_clean():
            self.queue.cleaned(take)

    @rule(index=st.integers(0, 3))
    def retry(self, index: int) -> None:
        takes = self.queue.list(limit=None)
        if index < len(takes):
            take = takes[index]
            if take.status is Status.UPLOADED:
                with pytest.raises(IllegalStepError):
                    self.queue.retry(take.id)
            else:
                self.queue.retry(take.id)

    @rule()
    def retry_all(self) -> None:
        self.queue.retry_all()

    # ── what always holds ──────────────────────────────────────────────────────────────────

    @invariant()
    def every_take_is_in_one_sound_state(self) -> None:
        for take in self.queue.list(limit=None):
            assert (take.status is Status.UPLOADED) == (take.stage >= Stage.CONFIRMED)
            assert (take.fail_code is not None) == (take.status is Status.FAILED)
            assert take.stage is Stage.RECORDED or take.server_id is not None
            assert take.status is not Status.UPLOADED or take.receipt is not None
            if take.status is Status.FAILED:
                assert take.last_error_code  # I5: no silent state
            before = self.before.get(take.id)
            if before is not None:
                assert take.lease_epoch >= before.lease_epoch
                assert before.status is not Status.UPLOADED or take.status is Status.UPLOADED
            self.before[take.id] = take

    @invariant()
    def history_holds_only_legal_steps(self) -> None:
        for take in self.queue.list(limit=None):
            for event in self.queue.events(take.id):
                if event.from_status is None or event.from_stage is None:
                    continue
                if event.from_status is not event.to_status:
                    assert event.to_status in LEGAL_STATUS[event.from_status]
                if event.to_stage < event.from_stage:
                    assert (event.from_stage, event.to_stage) in LEGAL_DEMOTION

    @invariant()
    def no_take_was_lost(self) -> None:
        assert len(self.queue.list(limit=None)) == self.added


QueueMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestQueueMachine = QueueMachine.TestCase
