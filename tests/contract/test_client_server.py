"""Both clients against the reference server: the wire contract, held from both sides."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from cadenza_client import (
    AlreadyReviewedError,
    AlreadyUploadedError,
    AuthenticationError,
    ChecksumMismatchError,
    ChecksumRefusedError,
    ContextNotFoundError,
    GoneError,
    IdConflictError,
    NewSubmission,
    NotFoundError,
    NotUploadedYetError,
    ObjectExistsError,
    PermissionDeniedError,
    SizeMismatchError,
    TooLargeError,
    UnsupportedMediaError,
    UploadUrlExpiredError,
    ValidationError,
)
from cadenza_client.errors import error_codes
from cadenza_server import ServerSettings, admin, create_app
from cadenza_server.codes import ERROR_CODES
from cadenza_server.serving import run_in_thread

MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"

Open = Callable[..., Any]


class Clock:
    """The server's time, which a test can move."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class World:
    """A running server with a student and a teacher."""

    url: str
    clock: Clock
    student_token: str
    teacher_token: str
    student_id: int
    piece_id: UUID


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    from cadenza_client import CadenzaClient

    settings = ServerSettings(
        data_dir=tmp_path_factory.mktemp("server"), max_upload_bytes=4_000_000
    )
    admin.init(settings)
    demo = admin.seed_demo(settings)
    clock = Clock()
    app = create_app(settings, clock=clock)
    with run_in_thread(app) as server:
        with CadenzaClient(server.url, env={}) as client:
            student, teacher = (
                client.auth.login(email, demo.password).access_token
                for email in (demo.student_email, demo.teacher_email)
            )
        yield World(server.url, clock, student, teacher, demo.student_id, demo.piece_id)
    app.state.services.db.close()


@pytest.fixture
def student(open_client: Open, world: World) -> Any:
    return open_client(world.url, token=world.student_token)


@pytest.fixture
def teacher(open_client: Open, world: World) -> Any:
    return open_client(world.url, token=world.teacher_token)


@pytest.fixture
def take(tmp_path: Path) -> Path:
    path = tmp_path / "take.mp4"
    path.write_bytes(MP4 + uuid4().bytes * 125_000)
    return path


def _announce(world: World, take: Path, **changes: Any) -> NewSubmission:
    facts: dict[str, Any] = {
        "id": uuid4(),
        "piece_id": world.piece_id,
        "duration_seconds": 45,
        "size_bytes": take.stat().st_size,
        "sha256": hashlib.sha256(take.read_bytes()).hexdigest(),
    }
    return NewSubmission(**{**facts, **changes})


def _delivered(client: Any, world: World, take: Path) -> UUID:
    ticket = client.submissions.create(_announce(world, take))
    client.submissions.upload(ticket.submission.id, take)
    found: UUID = ticket.submission.id
    return found


# ── the list both sides keep ───────────────────────────────────────────────────────────────────


def test_client_and_server_know_the_same_codes_with_the_same_status() -> None:
    ours = {code: line.status for code, line in error_codes().items()}
    theirs = {code: line.status for code, line in ERROR_CODES.items()}
    assert ours == theirs


# ── the loop ───────────────────────────────────────────────────────────────────────────────────


def test_a_take_reaches_the_teacher_and_comes_back_reviewed(
    student: Any, teacher: Any, world: World, take: Path, tmp_path: Path
) -> None:
    new = _announce(world, take, page_number=3, measure_number=17, measure_end=20, notes="bar 17")
    ticket = student.submissions.create(new)
    assert ticket.submission.id == new.id
    assert ticket.submission.media_state == "awaiting_upload"
    assert ticket.video.checksum_verified_by_store
    thumbnail = tmp_path / "t.jpg"
    thumbnail.write_bytes(JPEG)

    done = student.submissions.upload(new.id, take, sha256=new.sha256, thumbnail=thumbnail)
    assert done.profile == "v2"
    assert done.receipt.verified == "sha256"
    assert (done.receipt.sha256, done.receipt.size_bytes) == (new.sha256, new.size_bytes)
    assert done.receipt.signature
    assert done.submission.thumbnail_s3_key

    waiting = [item for item in teacher.review.queue() if item.submission.id == new.id]
    assert waiting[0].student_id == world.student_id
    listed = teacher.students.submissions(world.student_id, pending_review=True)
    assert new.id in [one.id for one in listed]
    copy = tmp_path / "copy.mp4"
    teacher.download(teacher.submissions.playback(new.id), copy)
    assert copy.read_bytes() == take.read_bytes()

    reviewed = teacher.submissions.mark_reviewed(new.id)
    assert reviewed.reviewed_at is not None
    assert teacher.submissions.mark_reviewed(new.id).reviewed_at == reviewed.reviewed_at
    assert student.submissions.get(new.id).reviewed_at == reviewed.reviewed_at
    with pytest.raises(AlreadyReviewedError):
        student.submissions.delete(new.id)
    assert teacher.submissions.reopen(new.id).reviewed_at is None
    trail = [event.event for event in student.submissions.events(new.id)]
    assert trail[0] == "created"
    assert {"confirmed", "thumbnail_confirmed", "reviewed", "reopened"} <= set(trail)


def test_a_repeated_create_is_the_same_submission(student: Any, world: World, take: Path) -> None:
    new = _announce(world, take)
    first = student.submissions.create(new)
    again = student.submissions.create(new, replay=True)
    assert again.submission == first.submission
    with pytest.raises(IdConflictError):
        student.submissions.create(new.model_copy(update={"duration_seconds": 46}))


def test_a_repeated_confirm_gives_the_same_receipt(student: Any, world: World, take: Path) -> None:
    done = _delivered(student, world, take)
    facts = student.fingerprint(take)
    first, again = (
        student.submissions.confirm(done, size_bytes=facts.size_bytes, sha256=facts.sha256)
        for _ in range(2)
    )
    assert first.receipt == again.receipt


def test_a_take_of_an_old_client_is_proved_by_the_server(
    student: Any, world: World, take: Path
) -> None:
    bare = NewSubmission(piece_id=world.piece_id, duration_seconds=45)
    ticket = student.submissions.create(bare)
    assert not ticket.video.checksum_verified_by_store
    done = student.submissions.upload(ticket.submission.id, take)
    assert done.receipt.size_bytes == take.stat().st_size


# ── refusals ───────────────────────────────────────────────────────────────────────────────────


def test_an_expired_url_is_refused_and_a_fresh_one_works(
    student: Any, world: World, take: Path
) -> None:
    ticket = student.submissions.create(_announce(world, take))
    world.clock.ahead = timedelta(seconds=ticket.video.expires_in + 1)
    try:
        with pytest.raises(UploadUrlExpiredError):
            student.upload_media(ticket.video, take, content_type="video/mp4", sha256=None)
        done = student.submissions.upload(ticket.submission.id, take)
    finally:
        world.clock.ahead = timedelta()
    assert done.receipt.verified == "sha256"


def test_an_expired_url_costs_no_body_at_the_built_in_store(
    student: Any, world: World, take: Path
) -> None:
    """The store never says `100 Continue` to a URL it refuses."""
    ticket = student.submissions.create(_announce(world, take))
    port = int(world.url.rpartition(":")[2])
    target = ticket.video.url.removeprefix(world.url).replace("sig=", "sig=x")
    with socket.create_connection(("127.0.0.1", port)) as raw:
        head = f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nExpect: 100-continue\r\n"
        raw.sendall(f"{head}Content-Length: 1000000\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 403")


def test_another_file_than_announced_is_refused_by_the_store(
    student: Any, world: World, take: Path
) -> None:
    ticket = student.submissions.create(_announce(world, take))
    data = bytearray(take.read_bytes())
    data[-1] ^= 1
    take.write_bytes(data)
    with pytest.raises(ChecksumRefusedError):
        student.upload_media(ticket.video, take, content_type="video/mp4", sha256=None)
    with pytest.raises(NotUploadedYetError):
        student.submissions.confirm(ticket.submission.id, size_bytes=len(data), sha256=None)


def test_what_was_not_declared_is_compared_at_the_confirm(
    student: Any, world: World, take: Path
) -> None:
    bare = NewSubmission(id=uuid4(), piece_id=world.piece_id, duration_seconds=45)
    ticket = student.submissions.create(bare)
    student.upload_media(ticket.video, take, content_type="video/mp4", sha256=None)
    size = take.stat().st_size
    with pytest.raises(SizeMismatchError) as caught:
        student.submissions.confirm(bare.id, size_bytes=size + 1, sha256=None)
    assert caught.value.fields == {"stored": size, "announced": size + 1}
    with pytest.raises(ChecksumMismatchError):
        student.submissions.confirm(bare.id, size_bytes=size, sha256="ab" * 32)


def test_what_is_confirmed_is_not_sent_again(student: Any, world: World, take: Path) -> None:
    ticket = student.submissions.create(_announce(world, take))
    student.submissions.upload(ticket.submission.id, take)
    with pytest.raises(ObjectExistsError):
        student.upload_media(ticket.video, take, content_type="video/mp4", sha256=None)
    with pytest.raises(AlreadyUploadedError):
        student.submissions.upload_urls(ticket.submission.id)
    # The convenience takes it for what it is: done.
    assert student.submissions.upload(ticket.submission.id, take).receipt.verified == "sha256"


def test_what_is_no_video_is_not_taken(student: Any, world: World, take: Path) -> None:
    take.write_bytes(b"not a video at all")
    ticket = student.submissions.create(_announce(world, take))
    with pytest.raises(UnsupportedMediaError):
        student.submissions.upload(ticket.submission.id, take)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"duration_seconds": 181}, ValidationError),
        ({"piece_id": None}, ValidationError),
        ({"piece_id": uuid4()}, ContextNotFoundError),
        ({"size_bytes": 4_000_001}, TooLargeError),
        ({"width": 1920, "height": 1080}, ValidationError),
    ],
)
def test_an_announcement_outside_the_limits_is_refused(
    student: Any, world: World, take: Path, changes: dict[str, Any], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        student.submissions.create(_announce(world, take, **changes))


def test_what_is_not_there_or_not_ones_own(
    student: Any, teacher: Any, open_client: Open, world: World, take: Path
) -> None:
    with pytest.raises(NotFoundError):
        student.submissions.get(uuid4())
    with pytest.raises(ValidationError) as caught:
        student.submissions.get("not-an-id")
    assert caught.value.code == "invalid_id"
    done = _delivered(student, world, take)
    with pytest.raises(PermissionDeniedError):
        student.submissions.mark_reviewed(done)
    with pytest.raises(AuthenticationError):
        open_client(world.url, token="wrong").auth.me()
    with pytest.raises(AuthenticationError):
        open_client(world.url).auth.login("student@demo.example", "wrong")


def test_deleted_is_deleted(student: Any, world: World, take: Path) -> None:
    done = _delivered(student, world, take)
    student.submissions.delete(done)
    student.submissions.delete(done)
    with pytest.raises((GoneError, NotFoundError)):
        student.submissions.playback(done)


# ── everything around ──────────────────────────────────────────────────────────────────────────


def test_pages_are_followed_to_the_end(student: Any, world: World, take: Path) -> None:
    made = {student.submissions.create(_announce(world, take)).submission.id for _ in range(5)}
    found = [one.id for one in student.submissions.list(page_size=2)]
    assert made <= set(found)
    assert len(found) == len(set(found))


def test_the_rest_of_the_api(student: Any, teacher: Any, world: World, tmp_path: Path) -> None:
    health = student.health()
    assert (health.status, health.profiles) == ("ok", ("v1", "v2"))
    assert abs(student.clock_offset_seconds) < 60
    assert student.auth.me().id == world.student_id
    chosen = student.users.set_teacher("teacher@demo.example")
    assert student.users.my_teacher() == chosen
    assert world.student_id in [one.id for one in teacher.students.list()]

    piece = student.pieces.create("Allemande", page_count=1)
    image = tmp_path / "page.png"
    image.write_bytes(
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x02\x00\x00\x00\x03\x08\x02\x00\x00\x00"
    )
    page = student.pieces.put_page(piece.id, 1, image, measure_start=1, measure_end=8)
    assert (page.width, page.height, page.measure_end) == (2, 3, 8)
    assert student.pieces.get(piece.id).pages[0].page_number == 1
    assert piece.id in [one.id for one in student.pieces.list()]

    routine = teacher.routines.create("Week 3")
    exercise = teacher.routines.add_exercise(routine.id, title="Scales", start_page=1)
    assert routine.id in [one.id for one in teacher.routines.list()]
    assigned = teacher.students.assign_routine(world.student_id, routine.id)
    assert assigned.exercises == (exercise,)
    assert student.routines.current().id == routine.id

    session = student.practice.start(routine.id)
    finished = student.practice.complete(session.id, 600)
    assert (finished.id, finished.duration_seconds) == (session.id, 600)
