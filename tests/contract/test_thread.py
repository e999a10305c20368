"""The conversation about a take: both clients against the reference server."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from cadenza_client import (
    AlreadyUploadedError,
    GoneError,
    IdConflictError,
    MarkerChanges,
    NewMarker,
    NewMessage,
    NewSubmission,
    NotFoundError,
    NotUploadedYetError,
    PermissionDeniedError,
    ValidationError,
    WebhookVerificationError,
    verify_webhook,
)
from tests.contract.test_client_server import World, student, take, teacher, world

__all__ = ["student", "take", "teacher", "world"]

LETTER = "Listen to bar 17 again: the bow stops before the string crossing."


@pytest.fixture
def submission_id(student: Any, world: World, take: Path) -> UUID:
    """A take that has arrived."""
    new = NewSubmission(id=uuid4(), piece_id=world.piece_id, duration_seconds=45)
    student.submissions.create(new)
    student.submissions.upload(new.id, take)
    assert new.id is not None
    return new.id


def _reply(take: Path, **changes: Any) -> NewMessage:
    facts: dict[str, Any] = {
        "text": LETTER,
        "include_video": True,
        "video_duration_seconds": 15,
        "size_bytes": take.stat().st_size,
        "sha256": hashlib.sha256(take.read_bytes()).hexdigest(),
        "thumbnail_size_bytes": 1000,
        **changes,
    }
    return NewMessage(**facts)


# ── messages ───────────────────────────────────────────────────────────────────────────────────


def test_a_letter_is_read_once_and_seen_for_ever(
    student: Any, teacher: Any, submission_id: UUID
) -> None:
    new = NewMessage(text=LETTER, page_number=3, measure_number=17)
    ticket = teacher.messages.create(submission_id, new)
    assert ticket.video is None
    again = teacher.messages.create(submission_id, new)
    assert again.message == ticket.message, "sent twice it is one message"
    with pytest.raises(IdConflictError):
        teacher.messages.create(submission_id, NewMessage(id=new.id, text="Something else."))

    (message,) = student.messages.list(submission_id)
    assert (message.text, message.is_own, message.read_at) == (LETTER, False, None)
    assert student.unread().by_submission[submission_id] == 1
    assert student.submissions.get(submission_id).unread_count == 1
    assert student.messages.mark_read(message.id).read_at is not None
    assert submission_id not in student.unread().by_submission
    seen = teacher.messages.get(message.id)
    assert seen.is_own
    assert seen.read_at is not None


def test_a_message_is_changed_and_taken_back_by_its_sender_only(
    student: Any, teacher: Any, submission_id: UUID
) -> None:
    new = NewMessage(text="Sory.")
    teacher.messages.create(submission_id, new)
    with pytest.raises(PermissionDeniedError):
        student.messages.edit(new.id, "No.")
    edited = teacher.messages.edit(new.id, "Sorry.")
    assert edited.text == "Sorry."
    assert edited.edited_at is not None
    with pytest.raises(PermissionDeniedError):
        student.messages.delete(new.id)
    teacher.messages.delete(new.id)
    (tombstone,) = student.messages.list(submission_id)
    assert tombstone.text is None
    assert tombstone.deleted_at is not None


@pytest.mark.parametrize("thumbnail", [True, False])
def test_a_demonstration_goes_the_way_of_a_take(
    student: Any, teacher: Any, submission_id: UUID, take: Path, thumbnail: bool, tmp_path: Path
) -> None:
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\0" * 989)
    new = _reply(take)
    ticket = teacher.messages.create(submission_id, new)
    assert ticket.message.media_state == "awaiting_upload"
    assert ticket.video is not None
    with pytest.raises(NotUploadedYetError):
        teacher.messages.playback(new.id)
    done = teacher.messages.upload(
        new.id, take, sha256=new.sha256, thumbnail=picture if thumbnail else None
    )
    assert done.receipt.sha256 == new.sha256
    assert done.receipt.asset_id == new.id
    with pytest.raises(AlreadyUploadedError):
        teacher.messages.upload_urls(new.id)
    (message,) = student.messages.list(submission_id)
    assert message.has_video
    assert message.media_state in ("uploaded", "ready")
    copy = tmp_path / "copy.mp4"
    student.download(student.messages.playback(new.id), copy)
    assert copy.read_bytes() == take.read_bytes()


def test_what_is_no_message_is_refused(teacher: Any, submission_id: UUID) -> None:
    with pytest.raises(ValidationError) as nothing:
        teacher.messages.create(submission_id, NewMessage())
    assert nothing.value.code == "content_required"
    with pytest.raises(ValidationError) as timeless:
        teacher.messages.create(submission_id, NewMessage(include_video=True))
    assert timeless.value.code == "video_duration_required"
    teacher.messages.create(submission_id, said := NewMessage(text="Only words."))
    with pytest.raises(NotFoundError) as silent:
        teacher.messages.playback(said.id)
    assert silent.value.code == "no_video"


def test_a_deleted_take_has_no_thread(student: Any, submission_id: UUID) -> None:
    student.submissions.delete(submission_id)
    with pytest.raises(GoneError):
        student.messages.create(submission_id, NewMessage(text="Still there?"))


# ── markers ────────────────────────────────────────────────────────────────────────────────────


def test_a_moment_is_pointed_at_tried_and_settled(
    student: Any, teacher: Any, submission_id: UUID
) -> None:
    new = NewMarker(timestamp_ms=23_400, end_ms=27_100, text="You speed up.", measure_number=17)
    marker = teacher.markers.create(submission_id, new)
    assert (marker.marker_type, marker.status) == ("feedback", "open")
    assert teacher.markers.create(submission_id, new) == marker, "sent twice it is one marker"
    changed = teacher.markers.update(marker.id, MarkerChanges(text="You run.", end_ms=None))
    assert (changed.text, changed.end_ms, changed.measure_number) == ("You run.", None, 17)
    with pytest.raises(PermissionDeniedError):
        student.markers.update(marker.id, MarkerChanges(text="I do not."))
    assert student.markers.set_status(marker.id, "tried").status == "tried"
    settled = teacher.markers.set_status(marker.id, "settled", settled_by=submission_id)
    assert settled.settled_by_submission_id == submission_id
    with pytest.raises(PermissionDeniedError):
        student.markers.delete(marker.id)
    teacher.markers.delete(marker.id)
    assert student.markers.list(submission_id) == []


def test_a_students_question_is_counted(student: Any, teacher: Any, submission_id: UUID) -> None:
    question = student.markers.create(
        submission_id, NewMarker(timestamp_ms=0, text="Which fingering?")
    )
    assert question.marker_type == "question"
    seen = teacher.submissions.get(submission_id)
    assert (seen.marker_count, seen.question_count) == (1, 1)
    item = next(i for i in teacher.review.queue() if i.submission.id == submission_id)
    assert item.has_question
    with pytest.raises(ValidationError) as outside:
        student.markers.create(submission_id, NewMarker(timestamp_ms=600_000, text="?"))
    assert outside.value.code == "timestamp_out_of_range"


def test_a_messages_video_has_markers_of_its_own(
    student: Any, teacher: Any, submission_id: UUID, take: Path
) -> None:
    teacher.messages.create(submission_id, new := _reply(take))
    teacher.messages.upload(new.id, take)
    marker = student.markers.create_on_message(new.id, NewMarker(timestamp_ms=500, text="This?"))
    assert marker.message_id == new.id
    assert teacher.markers.list_of_message(new.id)[0].id == marker.id
    assert teacher.markers.list(submission_id) == []
    both = teacher.markers.list(submission_id, include_messages=True)
    assert [one.id for one in both] == [marker.id]


def test_markers_leave_as_subtitles_a_table_and_json(
    student: Any, teacher: Any, submission_id: UUID
) -> None:
    teacher.markers.create(
        submission_id, NewMarker(timestamp_ms=23_400, end_ms=27_100, text="You speed up.")
    )
    subtitles = student.markers.export(submission_id, "vtt")
    assert subtitles.startswith("WEBVTT")
    assert "00:00:23.400 --> 00:00:27.100" in subtitles
    assert "You speed up." in student.markers.export(submission_id, "csv")
    assert json.loads(student.markers.export(submission_id, "json"))["markers"][0]["end_ms"]


# ── what happens ───────────────────────────────────────────────────────────────────────────────


def test_the_other_side_hears_of_it_and_can_come_back_to_it(
    student: Any, teacher: Any, submission_id: UUID
) -> None:
    new = NewMessage(text=LETTER)
    heard = threading.Thread(target=lambda: teacher.messages.create(submission_id, new))
    stream = student.events.stream(after=0, types=["message.created"])
    heard.start()
    event = next(one for one in stream if one.message_id == new.id)
    heard.join(10)
    stream.close()
    assert (event.type, event.submission_id) == ("message.created", submission_id)
    again = student.events.stream(after=event.seq - 1, types=["message.*"])
    assert next(again) == event
    again.close()


def test_notifications_are_read(student: Any, teacher: Any, submission_id: UUID) -> None:
    teacher.messages.create(submission_id, NewMessage(text=LETTER))
    mine = [n for n in student.notifications.list(unread=True) if n.submission_id == submission_id]
    assert mine
    assert student.notifications.mark_read(mine[0].id).read_at is not None
    student.notifications.mark_all_read()
    assert list(student.notifications.list(unread=True, limit=5)) == []


# ── webhooks ───────────────────────────────────────────────────────────────────────────────────


class Receiver(HTTPServer):
    """Takes posts and keeps them."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.arrived = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert isinstance(self.server, Receiver)
        self.server.posts.append((dict(self.headers), body))
        self.send_response(204)
        self.end_headers()
        self.server.arrived.set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Any:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, daemon=True)
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join(10)


def test_a_post_of_the_real_server_is_verified(teacher: Any, receiver: Receiver) -> None:
    url = f"http://127.0.0.1:{receiver.server_port}/cadenza"
    hook = teacher.webhooks.create(url, event_types=["submission.uploaded"])
    assert [one.id for one in teacher.webhooks.list()] == [hook.id]
    assert teacher.webhooks.list()[0].secret is None
    sent = teacher.webhooks.test(hook.id)
    assert receiver.arrived.wait(30)
    headers, body = receiver.posts[0]
    event = verify_webhook(hook.secret, headers, body)
    assert event.id == sent.event_id
    with pytest.raises(WebhookVerificationError):
        verify_webhook("whsec_c29tZWJvZHkgZWxzZQ==", headers, body)

    receiver.arrived.clear()
    replayed = teacher.webhooks.replay(sent.id)
    assert replayed.id != sent.id
    assert receiver.arrived.wait(30)
    assert verify_webhook(hook.secret, *receiver.posts[1]).id == event.id
    assert {one.id for one in teacher.webhooks.deliveries(hook.id, limit=10)} == {
        sent.id,
        replayed.id,
    }
    teacher.webhooks.delete(hook.id)
    assert teacher.webhooks.list() == []
    with pytest.raises(NotFoundError):
        list(teacher.webhooks.deliveries(hook.id))
