"""One take through every answer the world can give: exactly one outcome, nothing lost."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from cadenza_client import errors as e
from cadenza_uploader._desk import announcement
from cadenza_uploader._home import Home
from cadenza_uploader._journey import World
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._settings import Settings
from cadenza_uploader._settlement import Carried
from cadenza_uploader._worker import Worker
from cadenza_uploader.events import BytesSent, Event, StageReached, TakeFailed, TakeUploaded
from cadenza_uploader.take import FailCode, Hold, Stage, Status, Take
from tests.uploader.fake_server import FakeServer, LostAnswerError
from tests.uploader.world import Clock, add_take, claimed, content, remove_video, spool_names


class Bench:
    """A queue with one take, a server, and a worker between them."""

    def __init__(self, queue: TakeQueue, clock: Clock, tmp_path: Path) -> None:
        self.queue = queue
        self.clock = clock
        self.server = FakeServer()
        self.settings = Settings.load({}, home=tmp_path / "home", timings="real")
        self.seen: list[Event] = []
        self.points: list[str] = []
        self.cancel: Callable[[], bool] = lambda: False

    def carry(self, take: Take | None = None) -> Carried:
        take = take or claimed(self.queue)
        worker = Worker(
            self.queue,
            self.server.client(),
            settings=self.settings,
            observer=self.seen.append,
            cancelled=lambda: self.cancel(),
            world=World(self.clock, random.Random(1).random, self.points.append),
        )
        return worker.carry(take)

    def carry_again(self) -> Carried:
        self.clock.advance(3600)
        return self.carry()

    @property
    def take(self) -> Take:
        (take,) = self.queue.list()
        return take


@pytest.fixture
def bench(queue: TakeQueue, clock: Clock, tmp_path: Path) -> Bench:
    add_take(queue)
    return Bench(queue, clock, tmp_path)


def arrived(bench: Bench) -> bool:
    """Everything the mission asks for: one submission, the same bytes, confirmed, files gone."""
    take, server = bench.take, bench.server
    assert take.server_id is not None
    assert len(server.submissions) == 1
    assert server.holds_exactly(take.server_id, content(1))
    assert len(server.confirmed) == 1
    assert (take.status, take.stage) == (Status.UPLOADED, Stage.CLEANED)
    assert spool_names(bench.queue.home) == []
    return True


# ── the straight way ───────────────────────────────────────────────────────────────────────────


def test_a_take_goes_create_put_confirm_clean(bench: Bench) -> None:
    assert bench.carry() == Carried("uploaded")
    assert arrived(bench)
    assert bench.server.log == ["create", "thumbnail", "video", "confirm"]
    assert bench.take.id == bench.take.server_id
    assert bench.take.receipt is not None
    assert bench.take.receipt["signature"] == "signed"
    stages = [event.stage for event in bench.seen if isinstance(event, StageReached)]
    assert stages == [Stage.REGISTERED, Stage.STORED, Stage.CONFIRMED]
    sent = [event.sent_bytes for event in bench.seen if isinstance(event, BytesSent)]
    assert sent[-1] == 4000
    assert isinstance(bench.seen[-2], TakeUploaded)
    assert bench.points == [
        "after_claim",
        "after_create",
        "after_registered",
        "after_put",
        "after_stored",
        "after_confirm",
        "after_confirmed",
        "before_unlink",
        "after_unlink",
    ]


def test_a_finished_stage_is_not_repeated(bench: Bench) -> None:
    bench.server.fail("confirm", 1, e.ServerError("busy", status_code=503))
    assert bench.carry().result == "delayed"
    assert bench.carry_again().result == "uploaded"
    assert bench.server.counts["create"] == 1
    assert bench.server.counts["video"] == 1
    assert arrived(bench)


def test_history_has_request_ids_and_no_urls(bench: Bench) -> None:
    refused = e.ServerError("busy", status_code=503, code="internal", request_id="req-77")
    bench.server.fail("create", 1, refused)
    bench.carry()
    (attempt,) = bench.queue.attempts(bench.take.id)
    assert (attempt.step, attempt.request_id, attempt.counted) == ("create", "req-77", True)
    assert "SECRET" not in repr(bench.queue._query("SELECT * FROM attempts"))


# ── lost answers ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("op", ["create", "video", "thumbnail", "confirm"])
def test_a_lost_answer_never_makes_a_second_submission(bench: Bench, op: str) -> None:
    bench.server.fail(op, 1, LostAnswerError())  # type: ignore[arg-type]  # the parameter is one of Op
    bench.carry()
    if bench.take.status is not Status.UPLOADED:
        bench.carry_again()
    assert arrived(bench)


def test_a_server_that_assigns_ids_is_asked_before_a_create_is_repeated(bench: Bench) -> None:
    bench.server.assigns_ids = True
    bench.server.fail("create", 1, LostAnswerError())
    assert bench.carry().result == "delayed"
    assert bench.take.create_sent
    assert bench.carry_again().result == "uploaded"
    assert len(bench.server.submissions) == 1
    assert bench.take.server_id != bench.take.id


# ── URLs ───────────────────────────────────────────────────────────────────────────────────────


def test_an_expired_url_is_replaced_at_once_and_costs_nothing(bench: Bench) -> None:
    expired = e.UploadUrlExpiredError("Request has expired", status_code=403)
    bench.server.fail("video", 1, expired)
    assert bench.carry().result == "uploaded"
    assert bench.server.log == ["create", "thumbnail", "video", "urls", "video", "confirm"]
    assert bench.take.attempts == 0
    assert arrived(bench)


def test_urls_that_are_always_refused_end_the_claim_then_the_take(bench: Bench) -> None:
    bench.server.always["video"] = lambda: e.UploadUrlExpiredError("no", status_code=403)
    assert bench.carry().result == "delayed"
    assert bench.server.counts["urls"] == 2  # bounded within one claim (O04)
    assert bench.carry_again().result == "failed"
    assert bench.take.fail_code is FailCode.STORAGE_FORBIDDEN
    assert not FailCode.STORAGE_FORBIDDEN.needs_user  # it heals at the slow pace
    assert bench.take.video.name.name in " ".join(spool_names(bench.queue.home))


def test_an_object_that_is_there_already_is_confirmed_not_sent(bench: Bench) -> None:
    bench.server.fail("video", 1, e.ObjectExistsError("exists", status_code=412))
    bench.server.objects[f"video/{bench.take.id}"] = content(1)
    assert bench.carry().result == "uploaded"
    assert arrived(bench)


def test_an_upload_the_server_confirmed_already_is_not_repeated(bench: Bench) -> None:
    bench.server.fail("confirm", 1, LostAnswerError())
    bench.carry()
    bench.server.fail("video", 1, AssertionError("sent twice"))
    assert bench.carry_again().result == "uploaded"
    assert arrived(bench)


# ── the server's word over ours ────────────────────────────────────────────────────────────────


def test_a_missing_object_is_sent_again(bench: Bench) -> None:
    def forget() -> None:
        bench.server.objects.clear()

    bench.server.on["confirm"].append(
        lambda: forget() if bench.server.counts["confirm"] == 1 else None
    )
    assert bench.carry().result == "uploaded"
    assert bench.server.counts["video"] == 2
    assert bench.take.demotions == 1
    assert arrived(bench)


def test_other_bytes_in_the_store_are_replaced(bench: Bench) -> None:
    def corrupt() -> None:
        if bench.server.counts["confirm"] == 1:
            bench.server.objects[f"video/{bench.take.id}"] = b"x" * 4000

    bench.server.on["confirm"].append(corrupt)
    assert bench.carry().result == "uploaded"
    assert arrived(bench)


def test_a_store_that_never_keeps_our_bytes_ends_as_failed(bench: Bench) -> None:
    bench.server.on["confirm"].append(bench.server.objects.clear)
    results = [bench.carry().result]
    while results[-1] == "delayed":
        results.append(bench.carry_again().result)
    assert results[-1] == "failed"
    assert bench.take.fail_code is FailCode.STORAGE_REJECTS
    assert bench.server.counts["video"] <= 6
    assert spool_names(bench.queue.home) != []


def test_a_submission_the_server_forgot_is_made_again_once(bench: Bench) -> None:
    bench.server.fail("video", 1, e.UploadUrlExpiredError("expired", status_code=403))

    def forget() -> None:
        if bench.server.counts["urls"] == 1:
            bench.server.submissions.clear()
            bench.server.announced.clear()

    bench.server.on["urls"].append(forget)
    assert bench.carry().result == "uploaded"
    assert bench.server.counts["create"] == 2
    assert arrived(bench)


def test_a_submission_that_is_gone_again_and_again_is_given_to_the_user(bench: Bench) -> None:
    gone = e.NotFoundError("no", status_code=404, code="not_found")
    bench.server.always["confirm"] = lambda: gone
    results = [bench.carry().result]
    while results[-1] == "delayed":
        results.append(bench.carry_again().result)
    assert bench.take.fail_code is FailCode.SUBMISSION_GONE


def test_a_take_given_up_as_gone_is_made_again_when_it_is_tried_again(bench: Bench) -> None:
    """Found by the simulator (world 519): its history alone must not condemn a take (I6)."""
    gone = e.NotFoundError("no", status_code=404, code="not_found")
    bench.server.always["confirm"] = lambda: gone
    while bench.carry_again().result == "delayed":
        pass
    assert bench.take.fail_code is FailCode.SUBMISSION_GONE
    del bench.server.always["confirm"]
    bench.server.submissions.clear()
    bench.server.announced.clear()
    bench.queue.retry(bench.take.id)
    assert bench.carry_again().result == "uploaded"
    assert arrived(bench)


def test_a_receipt_for_other_bytes_is_no_licence(bench: Bench) -> None:
    def lie() -> None:
        for key, receipt in bench.server.confirmed.items():
            bench.server.confirmed[key] = receipt.model_copy(update={"sha256": "0" * 64})

    bench.server.fail("confirm", 1, LostAnswerError())
    bench.carry()
    lie()
    assert bench.carry_again().result != "uploaded"
    assert bench.take.status is not Status.UPLOADED
    assert any("video.mp4" in name for name in spool_names(bench.queue.home))


# ── no network, no sign-in: nothing is spent ───────────────────────────────────────────────────


@pytest.mark.parametrize("op", ["create", "confirm"])
def test_offline_holds_the_queue_and_costs_no_attempt(bench: Bench, op: str) -> None:
    bench.server.fail(op, 1, e.ConnectFailedError("no route", kind="unreachable"))  # type: ignore[arg-type]  # one of Op
    assert bench.carry() == Carried("released", Hold.NETWORK)
    take = bench.take
    assert (take.status, take.attempts) == (Status.PENDING, 0)
    assert [hold.hold for hold in bench.queue.holds()] == [Hold.NETWORK]
    bench.queue.release_queue(Hold.NETWORK)
    assert bench.carry().result == "uploaded"
    assert arrived(bench)


@pytest.mark.parametrize(
    "fault",
    [
        e.ConnectionLostError("reset", sent="partial"),
        e.RequestTimeoutError("silent", sent="partial"),
        e.ConnectFailedError("refused", kind="refused"),
    ],
    ids=["reset", "silence", "refused"],
)
def test_a_dead_upload_counts_only_when_the_api_still_answers(
    bench: Bench, fault: e.TransportError
) -> None:
    bench.server.fail("video", 1, fault)
    assert bench.carry().result == "delayed"
    assert bench.take.attempts == 1
    bench.server.fail("video", 2, fault)
    bench.server.always["health"] = lambda: e.ConnectFailedError("no route", kind="unreachable")
    assert bench.carry_again() == Carried("released", Hold.NETWORK)
    assert bench.take.attempts == 1


def test_a_login_page_is_not_success(bench: Bench) -> None:
    bench.server.fail("create", 1, e.ResponseError("a page", captive_portal=True))
    assert bench.carry() == Carried("released", Hold.NETWORK)
    assert bench.take.stage is Stage.RECORDED


def test_a_bad_certificate_holds_and_is_never_ignored(bench: Bench) -> None:
    bench.server.fail("create", 1, e.CertificateError("expired"))
    assert bench.carry() == Carried("released", Hold.NETWORK)


def test_a_refused_sign_in_pauses_the_queue(bench: Bench) -> None:
    bench.server.fail("create", 1, e.AuthenticationError("no", status_code=401))
    assert bench.carry() == Carried("released", Hold.AUTH)
    assert bench.take.attempts == 0
    assert [hold.hold for hold in bench.queue.holds()] == [Hold.AUTH]


def test_a_stop_puts_the_take_back(bench: Bench) -> None:
    bench.cancel = lambda: bench.server.counts["create"] == 1
    assert bench.carry().result == "released"
    assert (bench.take.status, bench.take.attempts) == (Status.PENDING, 0)
    assert bench.take.last_error_code == "stopped"


# ── counted setbacks ───────────────────────────────────────────────────────────────────────────


def test_the_servers_wish_is_kept_and_is_for_every_take(bench: Bench) -> None:
    busy = e.RateLimitError("slow down", status_code=429, retry_after_seconds=120.0)
    bench.server.fail("create", 1, busy)
    carried = bench.carry()
    assert carried.pause_seconds == 120
    due = bench.take.due_at
    assert due is not None
    assert 120 <= due.timestamp() - bench.clock.now <= 122


def test_a_store_that_is_away_is_waited_for_however_long(bench: Bench) -> None:
    bench.server.always["video"] = lambda: e.ConnectFailedError("refused", kind="refused")
    results = {bench.carry().result, *(bench.carry_again().result for _ in range(30))}
    assert results == {"delayed"}
    assert (bench.take.status, bench.take.attempts) == (Status.PENDING, 7)
    due = bench.take.due_at
    assert due is not None
    assert due.timestamp() - bench.clock.now <= 256
    del bench.server.always["video"]
    assert bench.carry_again().result == "uploaded"


def test_eight_setbacks_make_a_take_failed_and_it_comes_back(bench: Bench) -> None:
    bench.server.always["create"] = lambda: e.ServerError("down", status_code=503)
    results = [bench.carry().result, *(bench.carry_again().result for _ in range(7))]
    assert results == ["delayed"] * 7 + ["failed"]
    assert bench.take.fail_code is FailCode.ATTEMPTS_EXHAUSTED
    del bench.server.always["create"]
    bench.clock.advance(7 * 3600)
    assert bench.queue.revive_due() == 1
    assert bench.carry().result == "uploaded"
    assert arrived(bench)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (e.PermissionDeniedError("no", status_code=403), FailCode.FORBIDDEN),
        (e.ValidationError("no", status_code=422, code="invalid"), FailCode.BAD_REQUEST),
        (e.TooLargeError("no", status_code=413), FailCode.TOO_LARGE),
        (
            e.GoneError("no", status_code=410, code="submission_deleted"),
            FailCode.SUBMISSION_DELETED,
        ),
        (e.IdConflictError("no", status_code=409, code="id_conflict"), FailCode.ID_CONFLICT),
    ],
    ids=lambda value: value.value if isinstance(value, FailCode) else "",
)
def test_what_only_the_user_can_mend_is_failed_at_once(
    bench: Bench, fault: e.APIError, code: FailCode
) -> None:
    bench.server.fail("create", 1, fault)
    assert bench.carry().result == "failed"
    assert bench.take.fail_code is code
    (failed,) = [event for event in bench.seen if isinstance(event, TakeFailed)]
    assert failed.needs_user
    assert any("video.mp4" in name for name in spool_names(bench.queue.home))


# ── the local file ─────────────────────────────────────────────────────────────────────────────


def test_a_lost_file_fails_by_name_when_the_server_never_had_it(bench: Bench, home: Home) -> None:
    remove_video(home, bench.take)
    assert bench.carry().result == "failed"
    assert bench.take.fail_code is FailCode.LOCAL_FILE_MISSING
    assert bench.server.counts["create"] == 0  # never an empty submission (F01)


def test_a_lost_file_is_no_loss_when_the_server_has_it(bench: Bench, home: Home) -> None:
    take = claimed(bench.queue)
    bench.server.client().submissions.create(announcement(take))
    bench.server.objects[f"video/{take.id}"] = content(1)
    take = bench.queue.registered(take, take.id, attempts=[])
    remove_video(home, take)
    assert bench.carry(take).result == "uploaded"
    assert arrived(bench)


def test_a_changed_file_is_never_confirmed(bench: Bench, home: Home) -> None:
    path = remove_video(home, bench.take)
    path.write_bytes(b"y" * 4000)
    assert bench.carry().result == "failed"
    assert bench.take.fail_code is FailCode.LOCAL_FILE_CHANGED
    assert bench.server.confirmed == {}
    assert path.read_bytes() == b"y" * 4000


def test_an_unreadable_recording_is_tried_again_then_given_to_the_user(
    bench: Bench, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D04: a disk that reports errors may recover; the file is kept whatever happens."""

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("cadenza_uploader._spool.open_asset", fail)
    results = [bench.carry().result]
    while results[-1] == "delayed":
        results.append(bench.carry_again().result)
    assert results == ["delayed"] * 3 + ["failed"]
    assert bench.take.fail_code is FailCode.FILE_UNREADABLE
    assert str(home.path) not in str(bench.take.last_error)
    monkeypatch.undo()
    bench.queue.retry(bench.take.id)
    assert bench.carry().result == "uploaded"


# ── thumbnails ─────────────────────────────────────────────────────────────────────────────────


def test_a_refused_thumbnail_never_sends_the_video_twice(bench: Bench) -> None:
    bench.server.always["thumbnail"] = lambda: e.StorageBusyError("busy", status_code=503)
    assert bench.carry().result == "uploaded"
    assert bench.server.counts["video"] == 1
    assert arrived(bench)


def test_a_thumbnail_gets_its_second_chance_in_the_next_claim(bench: Bench) -> None:
    bench.server.fail("thumbnail", 1, e.StorageBusyError("busy", status_code=503))
    bench.server.fail("confirm", 1, e.ServerError("busy", status_code=503))
    bench.carry()
    assert bench.carry_again().result == "uploaded"
    assert bench.server.counts["thumbnail"] == 2
    thumbnail = bench.take.thumbnail
    assert thumbnail is not None
    assert thumbnail.stored


def test_a_take_without_a_thumbnail_goes_all_the_same(
    queue: TakeQueue, clock: Clock, tmp_path: Path
) -> None:
    add_take(queue, thumbnail=False)
    bench = Bench(queue, clock, tmp_path)
    assert bench.carry().result == "uploaded"
    assert bench.server.counts["thumbnail"] == 0


# ── fencing and sources ────────────────────────────────────────────────────────────────────────


def test_a_worker_that_lost_its_lease_stops_silently(bench: Bench) -> None:
    take = claimed(bench.queue)

    def steal() -> None:
        bench.queue.reclaim(bench.queue.get(take.id), poison_claims=9, slow_due_ms=0)

    bench.server.on["create"].append(steal)
    assert bench.carry(take) == Carried("stale")
    assert bench.take.stage is Stage.RECORDED


def test_the_source_goes_only_where_it_was_asked_for_and_is_the_same(
    queue: TakeQueue, clock: Clock, tmp_path: Path
) -> None:
    source = tmp_path / "take.mp4"
    source.write_bytes(content(1))
    add_take(queue, delete_source=True, source_path=str(source))
    assert Bench(queue, clock, tmp_path).carry().result == "uploaded"
    assert not source.exists()


def test_a_source_that_changed_meanwhile_stays(
    queue: TakeQueue, clock: Clock, tmp_path: Path
) -> None:
    source = tmp_path / "take.mp4"
    source.write_bytes(b"a newer take")
    add_take(queue, delete_source=True, source_path=str(source))
    assert Bench(queue, clock, tmp_path).carry().result == "uploaded"
    assert source.read_bytes() == b"a newer take"
