"""A reply recorded offline goes the way of a take, and ends in the thread it was made for."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from sqlite_utils import Migrations

from cadenza_client import CadenzaClient
from cadenza_client import errors as e
from cadenza_uploader import _schema, cancel, enqueue, open_rebuilt, reconcile, record_take
from cadenza_uploader._description import restore
from cadenza_uploader._explain import Explanation, explain
from cadenza_uploader._home import Home
from cadenza_uploader._queue import Setback, TakeQueue
from cadenza_uploader._settings import Settings
from cadenza_uploader.errors import IllegalStepError
from cadenza_uploader.take import FailCode, Stage, Status, Take, TakeContext
from tests.uploader.fake_server import FakeServer, LostAnswerError, Op
from tests.uploader.test_daemon import CRASH_POINTS, House
from tests.uploader.world import STUDENT, Clock, add_take, claimed, content, new_take, spool_names

THREAD = "6f0c1a2b-0000-4000-8000-000000000001"


@pytest.fixture
def house(home: Home, queue: TakeQueue, clock: Clock) -> House:
    house = House(home, queue, clock)
    house.server.threads.add(UUID(THREAD))
    return house


@pytest.fixture
def settings(home: Home) -> Settings:
    return Settings.load({}, home=home.path)


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real one, of a second."""
    path = tmp_path_factory.mktemp("replies") / "reply.mp4"
    record_take(path, seconds=1.0)
    return path


def stands_in_the_thread(server: FakeServer, take: Take, *, seed: int = 1) -> bool:
    """One message, in the right thread, with these very bytes, confirmed."""
    (message,) = server.messages.values()
    assert (str(message.id), str(message.submission_id)) == (take.id, THREAD)
    assert server.holds_exactly(take.id, content(seed))
    assert list(server.confirmed) == [message.id]
    assert server.submissions == {}, "a reply is no submission"
    return True


# ── the straight way ───────────────────────────────────────────────────────────────────────────


def test_a_reply_goes_create_put_confirm_clean(house: House) -> None:
    take = add_take(house.queue, reply_to=THREAD)
    assert take.kind == "message"
    house.daemon().drain(house.stop)
    take = house.queue.get(take.id)
    assert (take.status, take.stage) == (Status.UPLOADED, Stage.CLEANED)
    assert stands_in_the_thread(house.server, take)
    assert spool_names(house.home) == []
    steps = [step for step in house.server.log if step not in ("me", "health")]
    assert steps == ["create", "thumbnail", "video", "confirm"]
    said = house.server.said[UUID(take.id)]
    assert (said.text, said.include_video, said.video_duration_seconds) == ("take 1", True, 5)
    assert said.sha256 == take.video.sha256
    assert said.thumbnail_size_bytes == 300


def test_takes_and_replies_leave_in_the_order_they_were_recorded(house: House) -> None:
    add_take(house.queue, seed=1, reply_to=THREAD, captured=3.0)
    add_take(house.queue, seed=2, captured=2.0)
    add_take(house.queue, seed=3, reply_to=THREAD, captured=1.0)
    report = house.daemon().drain(house.stop)
    assert len(report.uploaded) == 3
    assert len(house.server.messages) == 2
    assert len(house.server.submissions) == 1
    first, _ = house.server.messages.values()
    assert first.text == "take 3"


def test_a_real_recording_becomes_a_reply(
    queue: TakeQueue, recording: Path, settings: Settings
) -> None:
    context = TakeContext(parent_submission_id=THREAD, notes="Like this.", measure_number=17)
    intake = enqueue(queue, recording, context, account=STUDENT, settings=settings)
    assert intake.take.kind == "message"
    again = enqueue(queue, recording, context, account=STUDENT, settings=settings)
    assert again.already_queued
    other = TakeContext(parent_submission_id=str(UUID(int=5, version=4)), notes="Like this.")
    assert not enqueue(queue, recording, other, account=STUDENT, settings=settings).already_queued


def test_what_is_no_thread_is_refused_before_anything_is_copied(
    queue: TakeQueue, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="parent_submission_id"):
        enqueue(
            queue,
            tmp_path / "never-read.mp4",
            TakeContext(parent_submission_id="bar 17"),
            account=STUDENT,
            settings=settings,
        )


# ── faults ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_crash_at_any_point_ends_in_one_message_and_a_clean_spool(
    house: House, point: str
) -> None:
    class Killed(BaseException):
        """Stands for SIGKILL: nothing of ours handles it."""

    added = add_take(house.queue, reply_to=THREAD)
    killed: list[str] = []

    def kill(name: str) -> None:
        if name == point and not killed:
            killed.append(name)
            raise Killed

    with pytest.raises(Killed):
        house.daemon(failpoint=kill).drain(house.stop)
    with TakeQueue.open(house.home, clock=house.clock) as reopened:
        house.queue = reopened
        house.daemon().drain(house.stop)
        take = reopened.get(added.id)
    assert take.status is Status.UPLOADED
    assert stands_in_the_thread(house.server, take)
    assert spool_names(house.home) == []


@pytest.mark.parametrize("step", ["create", "video", "confirm"])
def test_a_lost_answer_makes_no_second_message(house: House, step: Op) -> None:
    take = add_take(house.queue, reply_to=THREAD)
    house.server.fail(step, 1, LostAnswerError())
    house.daemon().drain(house.stop)
    house.clock.advance(3600)
    house.daemon().drain(house.stop)
    assert house.queue.get(take.id).status is Status.UPLOADED
    assert stands_in_the_thread(house.server, take)


def test_offline_costs_nothing_and_keeps_the_reply(house: House) -> None:
    take = add_take(house.queue, reply_to=THREAD)
    house.server.always["create"] = lambda: e.ConnectFailedError("nobody", kind="refused")
    house.server.always["health"] = lambda: e.ConnectFailedError("nobody", kind="refused")
    house.daemon().drain(house.stop)
    take = house.queue.get(take.id)
    assert (take.status, take.attempts) == (Status.PENDING, 0)
    assert len(spool_names(house.home)) == 4
    house.server.always.clear()
    house.daemon().drain(house.stop)
    assert stands_in_the_thread(house.server, take)


def test_bytes_that_were_damaged_are_sent_again(house: House) -> None:
    take = add_take(house.queue, reply_to=THREAD)

    def damage() -> None:
        house.server.objects[f"video/{take.id}"] = b"other bytes"

    house.server.fail("confirm", 1, damage)
    house.daemon().drain(house.stop)
    assert house.queue.get(take.id).status is Status.UPLOADED
    assert stands_in_the_thread(house.server, take)


@pytest.mark.parametrize(
    ("refusal", "code", "sentence"),
    [
        (None, FailCode.CLIENT_TOO_OLD, "finds no take to answer"),
        (e.GoneError("gone"), FailCode.SUBMISSION_DELETED, "was deleted"),
        (e.PermissionDeniedError("no"), FailCode.FORBIDDEN, "present teacher"),
    ],
)
def test_a_thread_that_cannot_be_written_to_keeps_the_files_and_says_so(
    house: House, refusal: Exception | None, code: FailCode, sentence: str
) -> None:
    take = add_take(house.queue, reply_to=THREAD)
    if refusal is None:
        house.server.threads.clear()
    else:
        house.server.fail("create", 1, refusal)
    house.daemon().drain(house.stop)
    take = house.queue.get(take.id)
    assert (take.status, take.fail_code) == (Status.FAILED, code)
    assert len(spool_names(house.home)) == 4
    assert sentence in told(take).because


def told(take: Take) -> Explanation:
    """What a person hears of a reply."""
    return explain(take, attempts=(), events=(), holds=(), now=take.updated_at, daemon_running=True)


def test_a_reply_is_called_one_and_leads_to_its_thread(house: House) -> None:
    take = add_take(house.queue, reply_to=THREAD)
    assert told(take).headline.startswith(f"Reply {take.short_id} is pending.")
    house.daemon().drain(house.stop)
    explanation = told(house.queue.get(take.id))
    assert explanation.because == "It stands in the thread of the take it answers."
    assert explanation.you_can == (f"cadenza messages {THREAD}",)


# ── what else knows of takes ───────────────────────────────────────────────────────────────────


def test_a_reply_that_lost_its_row_is_written_again_as_a_reply(house: House) -> None:
    new = new_take(house.home, reply_to=THREAD)
    report = house.daemon().drain(house.stop)
    assert report.uploaded == (new.id,)
    assert house.queue.get(new.id).context == new.context
    assert stands_in_the_thread(house.server, house.queue.get(new.id))


def test_a_queue_rebuilt_from_its_files_knows_its_replies(home: Home, clock: Clock) -> None:
    with TakeQueue.open(home, clock=clock) as queue:
        take = add_take(queue, reply_to=THREAD)
        queue.tidy()
    home.database.write_bytes(b"\0" * 4096)
    queue, rebuilt = open_rebuilt(home, clock=clock)
    with queue:
        assert rebuilt.adopted == (take.id,)
        assert queue.get(take.id).context == take.context


def test_a_description_of_an_earlier_version_is_that_of_a_take(home: Home) -> None:
    new = new_take(home)
    (path,) = (home.spool / new.id).glob("*.json")
    document = json.loads(path.read_text())
    del document["context"]["parent_submission_id"]
    assert restore(document) == new


def test_a_cancelled_reply_is_taken_back(house: House) -> None:
    take = add_take(house.queue, reply_to=THREAD)
    house.server.fail("video", 1, e.StorageRejectedError("no", status_code=411))
    house.daemon().drain(house.stop)
    cancel(house.queue, take.id, client=house.server.client())
    assert house.queue.list() == []
    assert house.server.messages[UUID(take.id)].deleted_at is not None
    assert spool_names(house.home) == []


def test_the_server_is_asked_about_replies_as_messages(house: House) -> None:
    unknown, deleted = (add_take(house.queue, seed=seed, reply_to=THREAD) for seed in (1, 2))
    other = add_take(house.queue, seed=3, reply_to=THREAD)
    house.daemon().drain(house.stop, only=[other.id])
    sent = house.server.messages[UUID(other.id)]
    changes = {"id": UUID(deleted.id), "deleted_at": sent.created_at, "media_state": None}
    house.server.messages[UUID(deleted.id)] = sent.model_copy(update=changes)
    answer = reconcile(house.queue, listing(house.server))
    assert answer.unknown == (unknown.id,)
    assert answer.deleted == (deleted.id,)


def listing(server: FakeServer) -> CadenzaClient:
    """A client for which no submission waits elsewhere."""
    client: Any = server.client()
    client.submissions.list = lambda **_: iter(())
    return cast("CadenzaClient", client)


def test_a_reply_that_arrived_after_all_comes_home(house: House) -> None:
    take = add_take(house.queue, reply_to=THREAD)
    house.daemon().drain(house.stop)
    with TakeQueue.open(Home(house.home.path / "other").prepare(), clock=house.clock) as queue:
        again = add_take(queue, reply_to=THREAD)
        assert again.id == take.id
        setback = Setback("local_file_missing", "Gone.")
        queue.failed(claimed(queue), FailCode.LOCAL_FILE_MISSING, setback, 2**41, attempts=[])
        assert reconcile(queue, listing(house.server)).arrived == (take.id,)
        assert queue.get(take.id).status is Status.PENDING


# ── the database ───────────────────────────────────────────────────────────────────────────────


def version_3() -> Migrations:
    steps = Migrations("cadenza-queue")
    for step in (_schema.m001_takes, _schema.m002_watched, _schema.m003_delays):
        steps(name=step.__name__)(step)
    return steps


def test_a_queue_of_the_version_before_is_upgraded_with_its_takes(home: Home, clock: Clock) -> None:
    _schema.connect(home, steps=version_3()).conn.close()
    old = new_take(home)
    shell = sqlite3.connect(home.database)
    shell.execute(
        "INSERT INTO takes (id, account_url, piece_id, captured_ms, duration_ms, duration_seconds,"
        " width, height, created_ms, updated_ms) VALUES (?, ?, ?, 1, 5000, 5, 1, 1, 1, 1)",
        [old.id, old.account.server_url, old.context.piece_id],
    )
    for asset in old.assets:
        shell.execute(
            "INSERT INTO assets (take_id, kind, name, size_bytes, sha256, content_type, inode,"
            " modified_ns) VALUES (?, ?, ?, ?, ?, 'x', 1, 1)",
            [old.id, asset.kind, str(asset.name), asset.size_bytes, asset.sha256],
        )
    shell.commit()
    shell.close()
    with TakeQueue.open(home, clock=clock) as queue:
        take = queue.get(old.id)
        assert (take.kind, take.context.parent_submission_id) == ("submission", None)
        assert add_take(queue, seed=2, reply_to=THREAD).kind == "message"
    assert (home.path / "queue.db.before-m004_replies").exists()


@pytest.mark.parametrize(
    "change",
    [
        "kind = 'submission', parent_submission_id = NULL",
        "parent_submission_id = 'another'",
        "parent_submission_id = NULL",
        "kind = 'letter'",
    ],
)
def test_a_reply_stays_the_answer_to_what_it_was_made_for(queue: TakeQueue, change: str) -> None:
    add_take(queue, reply_to=THREAD)
    with pytest.raises(IllegalStepError):
        queue._update(f"UPDATE takes SET {change}", {})
