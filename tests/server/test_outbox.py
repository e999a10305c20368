"""The outbox: told if and only if it happened, and to whom it may be told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from cadenza_server.announcements import EVENT_TYPES, Announcement
from cadenza_server.outbox import KEPT_DAYS, announce, in_thread, participants, prune
from cadenza_server.tables import Event, Notification, User
from tests.server.world import START, World


def _events(world: World, *kinds: str) -> list[Event]:
    with world.services.db.reading() as session:
        rows = session.scalars(sa.select(Event).order_by(sa.text("seq"))).all()
    return [row for row in rows if not kinds or row.type in kinds]


def _notifications(world: World, who: str) -> list[Notification]:
    query = sa.select(Notification).where(
        sa.text("user_id = :user").bindparams(user=world.people[who])
    )
    with world.services.db.reading() as session:
        return list(session.scalars(query))


def _types(world: World) -> list[str]:
    return [row.type for row in _events(world) if row.type != "notification.created"]


def _announce(world: World, *announcements: Announcement) -> None:
    with world.services.db.writing() as session:
        announce(session, world.clock(), *announcements)


def _thread(world: World, event: Any, who: str, submission_id: str, **data: Any) -> None:
    with world.services.db.writing() as session:
        told = in_thread(session, event, world.people[who], UUID(submission_id), **data)
        announce(session, world.clock(), told)


# ── what the routes tell ───────────────────────────────────────────────────────


def test_a_take_tells_of_every_step_of_its_life(world: World) -> None:
    submission_id = world.uploaded()
    world.ask("teacher", "PATCH", f"/video-submissions/{submission_id}/reviewed")
    world.ask("teacher", "DELETE", f"/video-submissions/{submission_id}/reviewed")
    world.ask("student", "DELETE", f"/video-submissions/{submission_id}")

    assert _types(world) == [
        "submission.created",
        "submission.uploaded",
        "submission.reviewed",
        "submission.reopened",
        "submission.deleted",
    ]
    for event in _events(world, *_types(world)):
        assert event.subject_id == UUID(submission_id)
        assert event.data == {
            "submission_id": submission_id,
            "user_id": world.people["student"],
        }
        assert set(event.audience) == {world.people["student"], world.people["teacher"]}
        assert event.id.startswith("evt_")


def test_repeats_tell_nothing_again(world: World) -> None:
    fields = world.take(id=str(uuid4()))
    for _ in range(2):
        world.ask("student", "POST", "/video-submissions", json=fields)
    submission_id = world.uploaded()
    world.confirm(submission_id)
    for _ in range(2):
        world.ask("teacher", "PATCH", f"/video-submissions/{submission_id}/reviewed")
    for _ in range(2):
        world.ask("teacher", "DELETE", f"/video-submissions/{submission_id}/reviewed")
    for _ in range(2):
        world.ask("student", "DELETE", f"/video-submissions/{submission_id}")

    kinds = _types(world)
    assert kinds.count("submission.created") == 2  # two takes
    for kind in ("uploaded", "reviewed", "reopened", "deleted"):
        assert kinds.count(f"submission.{kind}") == 1, kind


def test_a_v1_take_arrives_once_when_somebody_looks(world: World) -> None:
    submission_id = world.uploaded_v1()
    world.ask("teacher", "GET", f"/video-submissions/{submission_id}/video-url")
    world.confirm(submission_id)
    world.ask("teacher", "GET", f"/video-submissions/{submission_id}/video-url")

    (uploaded,) = _events(world, "submission.uploaded")
    assert uploaded.actor_id == world.people["student"]  # not the teacher who looked
    assert [n.title for n in _notifications(world, "teacher")] == ["Student sent a take"]


def test_what_is_taken_back_was_never_told(world: World) -> None:
    with pytest.raises(RuntimeError), world.services.db.writing() as session:  # noqa: PT012
        event = Announcement("submission.ready", None, frozenset({1}), uuid4(), {})
        announce(session, START, event)
        raise RuntimeError

    assert _events(world) == []


def test_announcing_nothing_writes_nothing(world: World) -> None:
    _announce(world)

    assert _events(world) == []


# ── who may hear of it ─────────────────────────────────────────────────────────


def test_the_audience_is_the_student_and_the_present_teacher(world: World) -> None:
    submission_id = UUID(world.create()["submission"]["id"])
    people = world.people

    with world.services.db.writing() as session:
        assert participants(session, submission_id) == (
            people["student"],
            frozenset({people["student"], people["teacher"]}),
        )
        student = session.get(User, people["student"])
        assert student is not None
        student.teacher_id = people["other_teacher"]
        student.teacher_since = START + timedelta(days=1)
        student.share_history = False
        session.add(student)
        session.flush()
        # Older than the new teacher, and not shared (B-30): nobody else is told.
        assert participants(session, submission_id)[1] == {people["student"]}
        student.share_history = True
        session.add(student)
        session.flush()
        assert participants(session, submission_id)[1] == {
            people["student"],
            people["other_teacher"],
        }
        student.teacher_id = None
        session.add(student)
        session.flush()
        assert participants(session, submission_id)[1] == {people["student"]}


# ── notifications ──────────────────────────────────────────────────────────────


def test_nobody_is_told_of_what_they_did(world: World) -> None:
    submission_id = world.uploaded()
    world.ask("teacher", "PATCH", f"/video-submissions/{submission_id}/reviewed")

    (to_teacher,) = _notifications(world, "teacher")
    (to_student,) = _notifications(world, "student")
    assert (to_teacher.type, to_teacher.title, to_teacher.body, to_teacher.url) == (
        "submission.uploaded",
        "Student sent a take",
        "Bourrée",
        f"/v/{submission_id}",
    )
    assert (to_student.title, to_student.body) == ("Teacher reviewed your take", "Bourrée")
    told = _events(world, "notification.created")
    assert [(set(one.audience), one.subject_id) for one in told] == [
        ({world.people["teacher"]}, to_teacher.id),
        ({world.people["student"]}, to_student.id),
    ]
    assert told[0].data["notification_id"] == str(to_teacher.id)


def test_without_a_teacher_nobody_is_told(world: World) -> None:
    world.ask("student", "DELETE", "/users/remove-teacher")
    world.uploaded()

    assert _events(world, "notification.created") == []


def test_a_review_taken_back_unread_leaves_no_notification(world: World) -> None:
    submission_id = world.uploaded()
    world.ask("teacher", "PATCH", f"/video-submissions/{submission_id}/reviewed")
    world.ask("teacher", "DELETE", f"/video-submissions/{submission_id}/reviewed")

    assert _notifications(world, "student") == []
    assert len(_notifications(world, "teacher")) == 1  # of the take, which is still there


def test_twelve_markers_are_one_notification(world: World) -> None:
    submission_id, marker = world.uploaded(), uuid4()
    for at in range(12):
        world.clock.advance(seconds=1)
        _thread(
            world,
            "marker.created",
            "teacher",
            submission_id,
            subject_id=marker,
            marker_id=marker,
            about=f"0:{at:02} lighter  bow\n" + "x" * 200,
        )

    (one,) = _notifications(world, "student")
    assert one.title == "Teacher marked 12 moments"
    assert one.event_count == 12
    assert one.body.startswith("0:11 lighter bow xxx")
    assert one.body.endswith("…")
    assert len(one.body) == 140
    assert one.url == f"/v/{submission_id}?marker={marker}"
    assert one.created_at == world.clock()


def test_once_read_the_next_is_a_new_one(world: World) -> None:
    submission_id = world.uploaded()
    _thread(world, "message.created", "teacher", submission_id, subject_id=uuid4(), about="a")
    with world.services.db.writing() as session:
        session.execute(sa.text("UPDATE notifications SET read_at = created_at"))
    _thread(world, "message.created", "teacher", submission_id, subject_id=uuid4(), about="b")

    assert [n.title for n in _notifications(world, "student")] == ["Teacher wrote to you"] * 2


def test_words_taken_back_are_no_longer_shown(world: World) -> None:
    submission_id, message, other = world.uploaded(), uuid4(), uuid4()
    for subject in (other, message):
        _thread(
            world, "message.created", "teacher", submission_id, subject_id=subject, about="secret"
        )
        with world.services.db.writing() as session:
            session.execute(sa.text("UPDATE notifications SET read_at = created_at"))
    _thread(world, "message.deleted", "teacher", submission_id, subject_id=message)

    assert [n.url for n in _notifications(world, "student")] == [
        f"/v/{submission_id}?message={other}"
    ]


def test_a_deleted_take_is_nothing_to_be_told_of(world: World) -> None:
    submission_id = world.uploaded()
    assert _notifications(world, "teacher")
    world.ask("student", "DELETE", f"/video-submissions/{submission_id}")

    assert _notifications(world, "teacher") == []


def test_words_are_for_the_bell_only(world: World) -> None:
    submission_id = world.uploaded()
    _thread(world, "message.created", "teacher", submission_id, subject_id=uuid4(), about="private")

    assert all("private" not in str(event.data) for event in _events(world))


# ── the rows ───────────────────────────────────────────────────────────────────


def test_numbers_go_up_and_are_never_given_twice(world: World) -> None:
    event = Announcement("submission.ready", None, frozenset({1}), uuid4())
    _announce(world, event, event)
    first = [row.seq for row in _events(world)]
    world.clock.advance(days=KEPT_DAYS + 1)
    assert prune(world.services.db, world.clock()) == 2
    _announce(world, event)

    (after,) = _events(world)
    assert after.seq is not None
    assert after.seq > max(seq or 0 for seq in first)


def test_old_events_go_and_take_their_deliveries_along(world: World) -> None:
    event = Announcement("submission.ready", None, frozenset({1}), uuid4())
    _announce(world, event)
    world.clock.advance(days=KEPT_DAYS, seconds=-1)
    _announce(world, event)
    assert prune(world.services.db, world.clock()) == 0
    world.clock.advance(seconds=2)

    assert prune(world.services.db, world.clock()) == 1
    assert len(_events(world)) == 1


def test_the_types_are_those_of_the_documents() -> None:
    assert len(EVENT_TYPES) == len(set(EVENT_TYPES)) == 15
