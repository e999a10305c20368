"""A studio in the middle of its week, for whoever looks around: takes, questions, answers.

Everything is done by the same code as over the wire, at the hours the story tells of.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import update
from sqlmodel import col

from cadenza_server.admin import DEMO_PASSWORD, add_user, seed_demo
from cadenza_server.app import create_app
from cadenza_server.auth import find_by_email
from cadenza_server.clock import utc_now
from cadenza_server.confirming import confirm
from cadenza_server.context import Context, Services
from cadenza_server.creating import create_submission
from cadenza_server.demo_story import STORY, STUDENTS, TEACHER, Take, Word
from cadenza_server.keys import thumbnail_key_beside
from cadenza_server.markers import take_target
from cadenza_server.marking import create_marker, edit_marker
from cadenza_server.messages import load_thread, message_loader
from cadenza_server.messaging import create_message, mark_read
from cadenza_server.reviewing import mark_reviewed
from cadenza_server.schemas import Confirm, NewSubmission
from cadenza_server.schemas_thread import EditMarker, NewMarker, NewMessage
from cadenza_server.settings import ServerSettings
from cadenza_server.submissions import loader
from cadenza_server.tables import Piece, User, VideoSubmission

_IDS = UUID("5b0c5a4e-4a7e-4c1e-9d55-ca2dee2a0001")


@dataclass(frozen=True)
class DemoClip:
    """The video every take of the story shows.

    Attributes:
        video: an MP4 within the limits.
        seconds: how long it is, at least 4.
        thumbnail: a JPEG, or None.
    """

    video: bytes = field(repr=False)
    seconds: int
    thumbnail: bytes | None = field(default=None, repr=False)


def fill_studio(settings: ServerSettings, clip: DemoClip) -> int:
    """Add students with takes, markers and messages to the demo accounts; safe to repeat.

    Args:
        settings: of which server; it may be running.
        clip: what all takes show.

    Returns:
        How many takes were added: 0 when the story is told already.

    Raises:
        AdminError: outside dev.
    """
    seed_demo(settings)
    clock = _StoryClock(utc_now())
    services: Services = create_app(settings, clock=clock).state.services
    try:
        return _Teller(settings, services, clock, clip).tell()
    finally:
        services.db.close()


class _StoryClock:
    """The time at which the story is."""

    def __init__(self, end: datetime) -> None:
        self._end = self.now = end

    def __call__(self) -> datetime:
        return self.now

    def set_back(self, hours: float) -> None:
        self.now = self._end - timedelta(hours=hours)


class _Teller:
    def __init__(
        self, settings: ServerSettings, services: Services, clock: _StoryClock, clip: DemoClip
    ) -> None:
        self._services, self._clock, self._clip = services, clock, clip
        self._storage = services.storage_at("http://127.0.0.1")
        self._ids = {"teacher": self._user(settings, TEACHER, None)}
        for name, (email, full_name) in STUDENTS.items():
            self._ids[name] = self._user(settings, email, full_name)
        self._have_been_taught(days=90)

    def tell(self) -> int:
        """Tell what has not been told."""
        told = 0
        for name, take in STORY.items():
            with self._services.db.reading() as session:
                if session.get(VideoSubmission, uuid5(_IDS, name)):
                    continue
            self._tell(uuid5(_IDS, name), take)
            told += 1
        return told

    def _user(self, settings: ServerSettings, email: str, full_name: str | None) -> int:
        with self._services.db.reading() as session:
            user = find_by_email(session, email)
        if user is None or user.id is None:
            return add_user(
                settings,
                email=email,
                full_name=full_name,
                password=DEMO_PASSWORD,
                teacher_email=TEACHER,
            )
        return user.id

    def _have_been_taught(self, *, days: float) -> None:
        """The accounts are new; the story says that the lessons are not."""
        since = utc_now() - timedelta(days=days)
        taught = [user_id for name, user_id in self._ids.items() if name in STUDENTS]
        with self._services.db.writing() as session:
            chosen = update(User).where(col(User.id).in_(taught))
            session.execute(chosen.values(teacher_since=since))

    def _as(self, who: str, hours_ago: float) -> Context:
        self._clock.set_back(hours_ago)
        return Context(self._ids[who], self._services, self._storage)

    def _tell(self, take_id: UUID, take: Take) -> None:
        ctx = self._as(take.who, take.hours_ago)
        body = NewSubmission(
            id=take_id,
            piece_id=self._piece(take, ctx.now()),
            duration_seconds=self._clip.seconds,
            notes=take.notes,
            page_number=take.page,
            measure_number=take.measures[0] if take.measures else None,
            measure_end=take.measures[1] if take.measures else None,
            **self._announced(),
        )
        created, _ = create_submission(ctx, body)
        self._store(created.submission.s3_key)
        confirm(ctx, loader(ctx.actor, take_id, "own"), Confirm(thumbnail=True))
        for number, word in enumerate(take.words):
            if word.at is None:
                self._say(take_id, word, uuid5(take_id, str(number)))
            else:
                self._mark(take_id, take, word)
        if take.reviewed_hours_ago is not None:
            mark_reviewed(self._as("teacher", take.reviewed_hours_ago), take_id)

    def _say(self, take_id: UUID, word: Word, message_id: UUID) -> None:
        ctx = self._as(word.who, word.hours_ago)
        self._read(ctx, take_id)
        body = NewMessage(id=message_id, text=word.text)
        if word.with_video:
            seconds, said = self._clip.seconds, self._announced()
            body = NewMessage(
                id=message_id,
                text=word.text,
                include_video=True,
                video_duration_seconds=seconds,
                **said,
            )
        created, _ = create_message(ctx, take_id, body)
        if created.message.video_s3_key:
            self._store(created.message.video_s3_key)
            load = message_loader(ctx.actor, message_id, "own")
            confirm(ctx, load, Confirm(thumbnail=True))

    def _read(self, ctx: Context, take_id: UUID) -> None:
        """Who answers has read what was said before."""
        with self._services.db.reading() as session:
            page = load_thread(session, ctx.actor, take_id, limit=100, cursor=None)
        for shown in page.shown:
            mark_read(ctx, shown.message.id)

    def _mark(self, take_id: UUID, take: Take, word: Word) -> None:
        ctx = self._as(word.who, word.hours_ago)
        assert word.at is not None
        body = NewMarker.model_validate(
            {
                "timestamp_ms": int(word.at * 1000),
                "end_ms": int(word.until * 1000) if word.until else None,
                "text": word.text,
                "marker_type": word.kind,
                "measure_number": word.measures[0] if word.measures else None,
                "measure_end": word.measures[1] if word.measures else None,
            }
        )
        load = partial(take_target, actor=ctx.actor, submission_id=take_id, action="take_part")
        marker, _ = create_marker(ctx, load, body)
        if word.tried:
            later = self._as(take.who, word.hours_ago / 2)
            edit_marker(later, marker.id, EditMarker(status="tried"))

    def _piece(self, take: Take, now: datetime) -> UUID:
        piece_id = uuid5(_IDS, f"{take.who} {take.title}")
        with self._services.db.writing() as session:
            if session.get(Piece, piece_id) is None:
                owner_id = self._ids[take.who]
                session.add(
                    Piece(
                        id=piece_id,
                        owner_id=owner_id,
                        title=take.title,
                        created_at=now,
                        updated_at=now,
                    )
                )
        return piece_id

    def _announced(self) -> dict[str, Any]:
        video = self._clip.video
        return {"size_bytes": len(video), "sha256": hashlib.sha256(video).hexdigest()}

    def _store(self, key: str) -> None:
        self._storage.put(key, self._clip.video, "video/mp4")
        if self._clip.thumbnail:
            self._storage.put(thumbnail_key_beside(key), self._clip.thumbnail, "image/jpeg")
