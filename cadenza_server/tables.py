"""The tables: what the server remembers. Wire models are in `schemas`, never these.

Types are chosen so that SQLite and PostgreSQL hold the same things: UUIDs, JSON, text with CHECKs
instead of native enums, and timestamps that are aware in Python and UTC in the database. The
thread's tables and the events' tables are in modules of their own and are known from here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, Text, false
from sqlmodel import Field, SQLModel

from cadenza_server.columns import UtcDateTime, metadata, one_of, partial_index
from cadenza_server.tables_events import (
    Derivative,
    Event,
    Notification,
    Webhook,
    WebhookDelivery,
)
from cadenza_server.tables_thread import Message, MessageRead, SubmissionView, VideoMarker

__all__ = [
    "Derivative",
    "Event",
    "Exercise",
    "MediaAsset",
    "Message",
    "MessageRead",
    "Notification",
    "Piece",
    "PiecePage",
    "PracticeSession",
    "Routine",
    "RoutineAssignment",
    "Studio",
    "SubmissionView",
    "UploadEvent",
    "User",
    "UtcDateTime",
    "VideoMarker",
    "VideoSubmission",
    "Webhook",
    "WebhookDelivery",
    "metadata",
]


class Studio(SQLModel, table=True):
    """A group of teachers; feature flags for all of its people."""

    __tablename__ = "studios"

    id: int | None = Field(default=None, primary_key=True)
    name: str
    features: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class User(SQLModel, table=True):
    """A student or a teacher. `teacher_id` is the current teacher: access follows it (F000-19)."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint(one_of("user_type", "student", "teacher"), name="user_type"),)

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(unique=True)
    full_name: str | None = None
    user_type: str | None = None
    password_hash: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    teacher_id: int | None = Field(default=None, foreign_key="users.id", index=True)
    #: When the current teacher was chosen. Kept after the teacher is removed: it also says that
    #: there has been one, which decides the default of `share_history` (B-30).
    teacher_since: datetime | None = Field(
        default=None, sa_column=Column(UtcDateTime, nullable=True)
    )
    share_history: bool = Field(
        default=False, sa_column_kwargs={"server_default": false(), "nullable": False}
    )
    studio_id: int | None = Field(default=None, foreign_key="studios.id", index=True)
    is_studio_admin: bool = Field(
        default=False, sa_column_kwargs={"server_default": false(), "nullable": False}
    )
    features: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    deleted_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))


class Piece(SQLModel, table=True):
    """A piece of music a student works on."""

    __tablename__ = "pieces"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    owner_id: int = Field(foreign_key="users.id", index=True)
    title: str
    pdf_filename: str | None = None
    s3_key: str | None = None
    page_count: int | None = None
    shared_from_piece_id: UUID | None = Field(default=None, foreign_key="pieces.id")
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class PiecePage(SQLModel, table=True):
    """The picture of one page of a piece, and the measures on it."""

    __tablename__ = "piece_pages"
    __table_args__ = (CheckConstraint("page_number >= 1", name="page_number"),)

    piece_id: UUID = Field(primary_key=True, foreign_key="pieces.id")
    page_number: int = Field(primary_key=True)
    image_key: str
    width: int
    height: int
    measure_start: int | None = None
    measure_end: int | None = None


class Routine(SQLModel, table=True):
    """An ordered list of exercises."""

    __tablename__ = "routines"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    owner_id: int = Field(foreign_key="users.id", index=True)
    title: str
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class Exercise(SQLModel, table=True):
    """One thing to practise within a routine."""

    __tablename__ = "exercises"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    routine_id: UUID = Field(foreign_key="routines.id", index=True)
    piece_id: UUID | None = Field(default=None, foreign_key="pieces.id", index=True)
    title: str | None = None
    order_index: int
    recommended_time_seconds: int | None = None
    intentions: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    start_page: int | None = None


class PracticeSession(SQLModel, table=True):
    """One sitting of practice."""

    __tablename__ = "practice_sessions"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    user_id: int = Field(foreign_key="users.id", index=True)
    routine_id: UUID | None = Field(default=None, foreign_key="routines.id")
    started_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    completed_at: datetime | None = Field(
        default=None, sa_column=Column(UtcDateTime, nullable=True)
    )
    duration_seconds: int | None = None


class RoutineAssignment(SQLModel, table=True):
    """The routine a student works through at present: one at a time."""

    __tablename__ = "routine_assignments"

    student_id: int = Field(primary_key=True, foreign_key="users.id")
    routine_id: UUID = Field(foreign_key="routines.id", index=True)
    assigned_by_id: int = Field(foreign_key="users.id")
    assigned_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class MediaAsset(SQLModel, table=True):
    """Stored bytes with one life cycle: awaiting_upload → uploaded → ready (§2.5)."""

    __tablename__ = "media_assets"
    __table_args__ = (
        Index("ix_media_assets_state_created_at", "state", "created_at"),
        CheckConstraint(one_of("kind", "take", "message", "lesson"), name="kind"),
        CheckConstraint(
            one_of(
                "state", "awaiting_upload", "uploaded", "ready", "invalid", "expired", "deleted"
            ),
            name="state",
        ),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    owner_id: int = Field(foreign_key="users.id")
    kind: str = "take"
    s3_key: str = Field(unique=True)
    #: Null until the thumbnail is seen in the store (B-11).
    thumbnail_s3_key: str | None = None
    storyboard_key: str | None = None
    waveform_key: str | None = None
    content_type: str = "video/mp4"
    state: str = "awaiting_upload"
    state_reason: str | None = None
    #: What the client announced at creation; signed into the upload URL.
    declared_size: int | None = Field(default=None, sa_type=BigInteger)
    declared_sha256: str | None = None
    declared_thumbnail_size: int | None = None
    #: What the store has; frozen by the confirm (SEC-08).
    size_bytes: int | None = Field(default=None, sa_type=BigInteger)
    etag: str | None = None
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    rotation: int | None = None
    fps: float | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    duration_ms: int | None = None
    source: str | None = None
    confirmed_at: datetime | None = Field(
        default=None, sa_column=Column(UtcDateTime, nullable=True)
    )
    confirmed_by: str | None = None
    #: When the MP4 was made of an upload that browsers can't all play (a WebM).
    normalised_at: datetime | None = Field(
        default=None, sa_column=Column(UtcDateTime, nullable=True)
    )
    retain_until: datetime | None = Field(
        default=None, sa_column=Column(UtcDateTime, nullable=True)
    )
    hold: bool = Field(
        default=False, sa_column_kwargs={"server_default": false(), "nullable": False}
    )
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    deleted_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))


class VideoSubmission(SQLModel, table=True):
    """What the server knows of a take. Its id is the asset's id, made by the client (B-18)."""

    __tablename__ = "video_submissions"
    __table_args__ = (
        Index("ix_video_submissions_user_id_captured_at", "user_id", "captured_at"),
        Index("ix_video_submissions_piece_id_page_number", "piece_id", "page_number"),
        partial_index("ix_video_submissions_to_review", "user_id", where="reviewed_at IS NULL"),
        partial_index(
            "ix_video_submissions_exercise_id", "exercise_id", where="exercise_id IS NOT NULL"
        ),
        CheckConstraint("id = asset_id", name="id_is_asset_id"),
        CheckConstraint("duration_seconds BETWEEN 1 AND 180", name="duration"),
        CheckConstraint(
            "exercise_id IS NOT NULL OR piece_id IS NOT NULL OR session_id IS NOT NULL",
            name="context",
        ),
        CheckConstraint("(reviewed_at IS NULL) = (reviewed_by_id IS NULL)", name="reviewed"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    user_id: int = Field(foreign_key="users.id")
    exercise_id: UUID | None = Field(default=None, foreign_key="exercises.id")
    piece_id: UUID | None = Field(default=None, foreign_key="pieces.id")
    session_id: UUID | None = Field(default=None, foreign_key="practice_sessions.id")
    asset_id: UUID = Field(foreign_key="media_assets.id")
    duration_seconds: int
    notes: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    page_number: int | None = None
    measure_number: int | None = None
    measure_end: int | None = None
    reviewed_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
    reviewed_by_id: int | None = Field(default=None, foreign_key="users.id")
    is_mastered: bool = Field(
        default=False, sa_column_kwargs={"server_default": false(), "nullable": False}
    )
    mastered_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
    mastered_by_id: int | None = Field(default=None, foreign_key="users.id")
    #: When it was played, by the device's clock, bounded; the server's time when not told (B-28).
    captured_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    deleted_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
    #: SHA-256 of the request that made it: tells a repeated create from another one (B-19).
    create_fingerprint: str


class UploadEvent(SQLModel, table=True):
    """One immutable line of the audit trail; triggers refuse to change or remove it."""

    __tablename__ = "upload_events"

    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    id: UUID = Field(default_factory=uuid4)
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    actor_id: int | None = None
    asset_id: UUID | None = None
    submission_id: UUID | None = Field(default=None, index=True)
    take_id: UUID | None = None
    event: str
    data: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    prev_hash: str
    hash: str
