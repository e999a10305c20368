"""One take, from its claim to its receipt: create → upload → confirm → clean.

Each step writes its result before the next begins, so a restart goes on where the world is
(I3, I9). A step that fails is classified by one table and ends the claim with exactly one outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from cadenza_client import CadenzaClient, UploadTarget
from cadenza_client.errors import CadenzaError, CancelledUploadError, TransportError
from cadenza_uploader import _spool
from cadenza_uploader._classify import Action, Answer, Decision, Party, Step, classify
from cadenza_uploader._cleaning import clean
from cadenza_uploader._desk import Proof, desk_for
from cadenza_uploader._faults import WORLD, Fault, fault_from
from cadenza_uploader._journey import (
    Journey,
    SpooledFile,
    StuckError,
    Tried,
    World,
    receipt_fault,
)
from cadenza_uploader._queue import Setback, TakeQueue
from cadenza_uploader._settings import Settings
from cadenza_uploader._settlement import Carried, Settlement
from cadenza_uploader._states import Stage
from cadenza_uploader.errors import StaleLeaseError
from cadenza_uploader.events import (
    BytesSent,
    Observer,
    StageReached,
    TakeClaimed,
    TakeUploaded,
)
from cadenza_uploader.take import Asset, AssetKind, Attempt, Take

#: Fresh URLs within one claim before the setback is counted like any other (O04).
MAX_REFRESHES = 2
#: Tries of a thumbnail before the take is confirmed without it (O16).
MAX_THUMBNAIL_TRIES = 5


class Worker:
    """Moves claimed takes through their stages with one client.

    Args:
        queue: where outcomes are written.
        client: signed in as the take's owner.
        settings: limits and timings.
        observer: told of everything, called on this thread.
        cancelled: polled while bytes flow; True stops within a block.
        world: clock, randomness, failpoints.
    """

    def __init__(
        self,
        queue: TakeQueue,
        client: CadenzaClient,
        *,
        settings: Settings,
        observer: Observer,
        cancelled: Callable[[], bool],
        world: World,
    ) -> None:
        self._queue = queue
        self._client = client
        self._settings = settings
        self._observer = observer
        self._cancelled = cancelled
        self._world = world
        self._settlement = Settlement(queue, settings=settings, observer=observer, world=world)

    def carry(self, take: Take) -> Carried:
        """Carry a claimed take as far as the world allows, and write exactly one outcome."""
        self._observer(TakeClaimed(take))
        self._world.failpoint("after_claim")
        journey = Journey(take)
        try:
            self._advance(journey)
        except CancelledUploadError:
            setback = Setback("stopped", "The upload was stopped and goes on later.")
            return self._settlement.release(journey, setback, None)
        except StuckError as stuck:
            return self._settlement.settle(journey, stuck.fault, stuck.decision)
        except StaleLeaseError:
            return Carried("stale")
        self._observer(TakeUploaded(journey.take))
        clean(
            self._queue,
            journey.take,
            observer=self._observer,
            now_ms=self._world.now_ms(),
            retry_seconds=self._settings.durations.cleanup_retry_seconds,
            failpoint=self._world.failpoint,
        )
        return Carried("uploaded")

    # ── the stages ─────────────────────────────────────────────────────────────────────────

    def _advance(self, journey: Journey) -> None:
        while journey.take.stage < Stage.CONFIRMED:
            if self._cancelled():
                raise CancelledUploadError
            match journey.take.stage:
                case Stage.RECORDED:
                    self._create(journey)
                case Stage.REGISTERED:
                    self._upload(journey)
                case _:
                    self._confirm(journey)
            self._observer(StageReached(journey.take.id, journey.take.stage))

    def _create(self, journey: Journey) -> None:
        take = journey.take
        with self._step(journey, "create", "api"):
            self._require_unchanged(take.video)
            handed_in = desk_for(self._client, take).create(take)
        journey.ticket = handed_in.ticket
        self._world.failpoint("after_create")
        journey.take = self._queue.registered(take, handed_in.server_id, attempts=journey.spent())
        self._world.failpoint("after_registered")
        if handed_in.arrived:
            # A rebuilt queue, or a lost answer: the object is there, only its receipt is not here.
            journey.take = self._queue.stored(journey.take, "video", None, attempts=[])

    def _upload(self, journey: Journey) -> None:
        # The thumbnail goes first: 20 kB, on URLs that are surely fresh. Its failure is noted and
        # never delays or fails the take (B-10).
        self._offer_thumbnail(journey)
        take = journey.take
        try:
            if not take.video.stored:
                etag = self._put(journey, take.video)
                self._world.failpoint("after_put")
                journey.take = self._queue.stored(take, "video", etag, attempts=journey.spent())
                self._world.failpoint("after_stored")
        except StuckError as stuck:
            if not self._recover(journey, stuck):
                raise

    def _confirm(self, journey: Journey) -> None:
        self._offer_thumbnail(journey)
        take = journey.take
        assert take.server_id is not None
        try:
            with self._step(journey, "confirm", "api"):
                proof = self._ask_to_confirm(take, journey.md5)
                if proof.profile == "v1" and journey.md5 is None:
                    # Only the store can tell what it holds, and only in MD5: prove it (W10).
                    journey.md5 = _spool.md5_of(self._queue.home.spool, take.video)
                    proof = self._ask_to_confirm(take, journey.md5)
                mismatch = receipt_fault(proof.receipt, take)
                if mismatch is not None:
                    raise self._judge(journey, mismatch)
        except StuckError as stuck:
            if not self._recover(journey, stuck):
                raise
            return
        self._world.failpoint("after_confirm")
        receipt = proof.receipt.model_dump(mode="json")
        journey.take = self._queue.confirmed(take, receipt, attempts=journey.spent())
        self._world.failpoint("after_confirmed")

    def _ask_to_confirm(self, take: Take, md5: str | None) -> Proof:
        assert take.server_id is not None
        return desk_for(self._client, take).confirm(take, take.server_id, md5)

    def _offer_thumbnail(self, journey: Journey) -> None:
        thumbnail = journey.take.thumbnail
        if thumbnail is None or thumbnail.stored or thumbnail.tries >= MAX_THUMBNAIL_TRIES:
            return
        if journey.thumbnail_refused:
            return
        try:
            etag = self._put(journey, thumbnail)
        except StuckError as stuck:
            journey.thumbnail_refused = True
            if stuck.decision.action is Action.HOLD or stuck.fault.is_transport:
                # The network is gone, not the thumbnail: let the video's step say so.
                return
            journey.ticket = None
            if stuck.decision.action is not Action.CONFIRM:
                journey.take = self._queue.asset_refused(
                    journey.take, "thumbnail", attempts=journey.spent()
                )
                return
            etag = None
        journey.take = self._queue.stored(journey.take, "thumbnail", etag, attempts=journey.spent())

    def _put(self, journey: Journey, asset: Asset) -> str | None:
        """Send one asset with a URL fetched for this very attempt; refreshed when refused."""
        while True:
            target = self._target(journey, asset.kind)
            try:
                with self._step(journey, asset.kind, "storage") as tried:
                    stored = self._client.upload_media(
                        target,
                        SpooledFile(self._queue.home.spool, asset),
                        content_type=asset.content_type,
                        sha256=asset.sha256,
                        progress=self._progress(journey.take.id, asset, tried),
                        cancel=self._cancelled,
                        rate_limit_bytes_per_second=self._settings.rate_limit,
                    )
                    if asset.kind == "video":
                        journey.md5 = stored.md5
                    return stored.etag
            except StuckError as stuck:
                if stuck.decision.action is not Action.REFRESH:
                    raise
                journey.ticket = None
                journey.refreshes += 1
                if journey.refreshes > MAX_REFRESHES:
                    raise StuckError(stuck.fault, Decision(Action.RETRY)) from None

    def _target(self, journey: Journey, kind: AssetKind) -> UploadTarget:
        ticket = journey.ticket
        if ticket is None:
            assert journey.take.server_id is not None
            with self._step(journey, "urls", "api"):
                ticket = desk_for(self._client, journey.take).urls(journey.take.server_id)
            journey.ticket = ticket
        target = ticket.video if kind == "video" else ticket.thumbnail
        if target is None:
            sentence = f"The server gave no upload URL for the {kind}."
            fault = Fault(Answer("api", "urls", code="malformed"), sentence)
            raise StuckError(fault, classify(fault.answer))
        return target

    # ── what a failed step means ───────────────────────────────────────────────────────────

    def _recover(self, journey: Journey, stuck: StuckError) -> bool:
        """Apply the decisions that let this claim go on; False for those that end it."""
        decision, take = stuck.decision, journey.take
        if decision.action is Action.CONFIRM and take.stage is Stage.REGISTERED:
            journey.take = self._queue.stored(take, "video", None, attempts=journey.spent())
            return True
        if decision.action is Action.REDO and decision.stage is not None:
            if decision.stage < take.stage:
                journey.take = self._queue.demoted(take, decision.stage, attempts=journey.spent())
            journey.ticket = None
            journey.redone += 1
            return journey.redone <= MAX_REFRESHES
        if _may_be_confirmed(stuck.fault, take):
            # The file is gone or changed, but the server may have it already (F01, C11).
            return self._ask_before_failing(journey)
        return False

    def _ask_before_failing(self, journey: Journey) -> bool:
        take = journey.take
        assert take.server_id is not None
        try:
            proof = self._ask_to_confirm(take, None)
        except CadenzaError:
            return False
        if receipt_fault(proof.receipt, take) is not None:
            return False
        take = self._queue.stored(take, "video", None, attempts=journey.spent())
        journey.take = take
        return True

    # ── one step ───────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _step(self, journey: Journey, step: Step, party: Party) -> Generator[Tried]:
        """Time one step, note how it ended, and turn what the world does into a decision."""
        tried = Tried(step, self._world.now())
        try:
            yield tried
        except CancelledUploadError:
            journey.note(tried, self._world.now(), "stopped")
            raise
        except WORLD as error:
            stuck = self._judge(journey, fault_from(error, step, party))
            journey.note(tried, self._world.now(), stuck.decision.action.value, stuck.fault)
            # The cause may hold a URL: the sentence is all that leaves this frame (SEC-02).
            raise stuck from None
        except StuckError as stuck:
            journey.note(tried, self._world.now(), stuck.decision.action.value, stuck.fault)
            raise
        journey.note(tried, self._world.now(), "ok")

    def _judge(self, journey: Journey, fault: Fault) -> StuckError:
        """Classify a fault, after asking whether the network as a whole is gone (I7)."""
        if fault.is_transport and fault.answer.code not in ("offline", "certificate"):
            unreachable = self._unreachable(fault.answer.step)
            if unreachable is not None:
                fault = replace(unreachable, may_have_arrived=fault.may_have_arrived)
        history = [*self._queue.attempts(journey.take.id), *journey.attempts]
        answer = replace(fault.answer, seen=_seen(history, fault.answer))
        return StuckError(replace(fault, answer=answer), classify(answer))

    def _unreachable(self, step: Step) -> Fault | None:
        try:
            self._client.health()
        except TransportError as error:
            fault = fault_from(error, step, "api")
            if fault.answer.code in ("offline", "certificate"):
                return fault
        except CadenzaError:
            pass
        return None

    def _require_unchanged(self, asset: Asset) -> None:
        if not _spool.is_unchanged(self._queue.home.spool, asset):
            raise _spool.ChangedFileError("The recording is not the one that was queued.")

    def _progress(self, take_id: str, asset: Asset, tried: Tried) -> Callable[[int, int], None]:
        def tell(sent_bytes: int, total_bytes: int) -> None:
            tried.bytes_sent = sent_bytes
            self._observer(BytesSent(take_id, asset.kind, sent_bytes, total_bytes))

        return tell


def _seen(history: Sequence[Attempt], answer: Answer) -> int:
    """How often this step failed in the same way since it last succeeded or gave up.

    Whoever tries a failed take again, a person or the slow probe, gets every remedy again: counted
    over its whole life, a take that the server forgot twice would never be created anew (I6).
    """
    seen = 0
    for attempt in reversed(history):
        if attempt.step == answer.step:
            if attempt.outcome in ("ok", Action.FAIL.value):
                break
            seen += (attempt.code, attempt.status_code) == (answer.code, answer.status)
    return seen


def _may_be_confirmed(fault: Fault, take: Take) -> bool:
    """Whether the server may have what this device can no longer show (F01)."""
    return (
        fault.answer.code in ("local_file_missing", "local_file_changed", "file_unreadable")
        and take.stage >= Stage.REGISTERED
    )
