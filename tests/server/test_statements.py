"""How often a create goes to the database: what more it asks for, every other writer waits for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import select

from cadenza_server.batches import Batch
from cadenza_server.database import Database
from cadenza_server.events import first_broken
from cadenza_server.standing import look
from cadenza_server.tables import (
    MediaAsset,
    Message,
    Studio,
    UploadEvent,
    VideoSubmission,
    Webhook,
    metadata,
)
from tests.server.world import MP4, START, World, declared

#: Who asks; and then under the lock: the lock itself, one look, what is written.
_PLANNED = {
    "postgresql": ["SELECT", "BEGIN; SELECT pg_advisory_xact_lock", "SELECT", "WITH", "COMMIT"],
    # A trip costs nothing here, and no statement inserts into two tables.
    "sqlite": ["BEGIN", "SELECT", "BEGIN IMMEDIATE", "SELECT", *["INSERT INTO"] * 4, "COMMIT"],
}


@contextmanager
def _listening(db: Database) -> Iterator[list[str]]:
    """All that is sent while it is open, commits too."""
    seen: list[str] = []

    def see(_c: Any, _cursor: Any, statement: str, values: Any, _context: Any, _m: bool) -> None:
        seen.append(statement)
        # Psycopg remembers how to read a statement of so many values, and no longer one.
        assert len(values) <= 50

    def commit(_connection: sa.Connection) -> None:
        seen.append("COMMIT")

    sa.event.listen(db.engine, "before_cursor_execute", see)
    sa.event.listen(db.engine, "commit", commit)
    try:
        yield seen
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", see)
        sa.event.remove(db.engine, "commit", commit)


def test_a_create_asks_the_database_for_no_more_than_planned(world: World, database: str) -> None:
    world.create(**declared(MP4))  # what is done once is done

    with _listening(world.services.db) as seen:
        world.create(
            **declared(MP4),
            notes="bars 9 to 16",
            width=1280,
            height=720,
            captured_at="2026-11-20T16:04:05Z",
        )

    planned = _PLANNED[database]
    assert len(seen) == len(planned), seen
    assert [
        sent for sent, start in zip(seen, planned, strict=True) if not sent.startswith(start)
    ] == []


def test_the_look_finds_what_each_of_five_questions_found(world: World) -> None:
    people = world.people
    for who in ("student", "teacher", "other_student"):
        world.ask(who, "POST", "/webhooks", json={"url": "http://127.0.0.1:9/hook"})
    made = world.create(**declared(MP4))["submission"]

    with world.services.db.writing() as session:
        of_made = look(session, people["student"], UUID(made["id"]), world.piece_id)
        of_new = look(session, people["student"], uuid4(), None)
        of_nobodys = look(session, people["other_student"], uuid4(), uuid4())
        (last,) = session.core.execute(
            sa.text("SELECT hash FROM upload_events ORDER BY seq DESC LIMIT 1")
        ).one()

    assert of_made.taken is not None
    assert of_made.taken[0] == people["student"]
    assert of_made.piece is not None
    assert of_made.piece.owner_id == people["student"]
    assert {hook.owner_id for hook in of_made.hooks} == {people["student"], people["teacher"]}
    assert of_made.membership.audience(START) == {people["student"], people["teacher"]}
    assert (of_new.taken, of_new.piece) == (None, None)
    assert (of_nobodys.taken, of_nobodys.piece) == (None, None)
    assert {hook.owner_id for hook in of_nobodys.hooks} == {people["other_student"]}
    assert {of_made.last.hash, of_new.last.hash, of_nobodys.last.hash} == {last}


def test_the_first_line_of_all_begins_the_chain(world: World) -> None:
    with world.services.db.writing() as session:
        nothing = look(session, world.people["student"], uuid4(), None)
    world.create(**declared(MP4))

    with world.services.db.reading() as session:
        lines = session.scalars(select(UploadEvent).order_by(sa.text("seq"))).all()
    assert nothing.last.seq == 0
    assert [line.seq for line in lines] == [1, 2]
    assert first_broken(lines) is None


def test_the_id_of_a_message_is_taken_too(world: World) -> None:
    submission_id = world.create(**declared(MP4))["submission"]["id"]
    message = {"include_video": True, "video_duration_seconds": 20, **declared(MP4)}
    answer = world.ask(
        "student", "POST", f"/video-submissions/{submission_id}/messages", json=message
    )
    assert answer.status_code == 201, answer.text

    take = world.take(**declared(MP4)) | {"id": message["id"]}
    again = world.ask("student", "POST", "/video-submissions", json=take)

    assert (again.status_code, again.json()["code"]) == (409, "id_conflict")
    with world.services.db.reading() as session:
        assert session.get(Message, UUID(message["id"])) is not None


def test_a_batch_leaves_to_the_database_what_it_fills_in_by_itself(world: World) -> None:
    hooks = [
        Webhook(owner_id=world.people["student"], url="u", secret="s", active=on, created_at=START)
        for on in (True, False)
    ]
    batch = Batch()
    for hook in hooks:
        batch.add_row(hook)
    with world.services.db.writing() as session:
        batch.insert(session)

    with world.services.db.reading() as session:
        for hook in hooks:
            kept = session.get(Webhook, hook.id)
            assert kept is not None
            assert (kept.active, kept.event_types) == (hook.active, [])
            assert kept.disabled_reason is None
    submission_id = UUID(world.create(**declared(MP4))["submission"]["id"])
    with world.services.db.reading() as session:
        asset = session.get(MediaAsset, submission_id)
        submission = session.get(VideoSubmission, submission_id)
    assert asset is not None
    assert submission is not None
    assert (asset.hold, submission.is_mastered, submission.reviewed_at) == (False, False, None)


def test_a_batch_is_written_whole_or_not_at_all(db: Database) -> None:
    batch = Batch()
    batch.add_row(Studio(id=1, name="North"))
    batch.add(metadata.tables["studios"], {"id": 2, "name": "South"}, {"id": 1, "name": "Twice"})

    with pytest.raises(sa.exc.IntegrityError), db.writing() as session:
        batch.insert(session)

    with db.reading() as session:
        assert session.scalars(select(Studio.name)).all() == []
