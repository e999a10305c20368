"""The tables of a submission's thread: messages, who has read them, and markers on the video."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlmodel import Field, SQLModel

from cadenza_server.columns import UtcDateTime, one_of, partial_index


class Message(SQLModel, table=True):
    """A reply in a submission's thread: text, a video, or both. Deleted, it stays as a tombstone.

    With a video its id is the asset's id, made by the client (B-18), as a submission's is.
    """

    __tablename__ = "messages"
    __table_args__ = (
        Index("ix_messages_submission_id_created_at", "submission_id", "created_at"),
        CheckConstraint(
            "text IS NOT NULL OR asset_id IS NOT NULL OR deleted_at IS NOT NULL", name="content"
        ),
        CheckConstraint("asset_id IS NULL OR id = asset_id", name="id_is_asset_id"),
        CheckConstraint("video_duration_seconds BETWEEN 1 AND 180", name="video_duration"),
        CheckConstraint(
            "asset_id IS NULL OR video_duration_seconds IS NOT NULL", name="video_has_duration"
        ),
        UniqueConstraint("asset_id"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    submission_id: UUID = Field(foreign_key="video_submissions.id")
    sender_id: int = Field(foreign_key="users.id", index=True)
    text: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    asset_id: UUID | None = Field(default=None, foreign_key="media_assets.id")
    video_duration_seconds: int | None = None
    page_number: int | None = None
    measure_number: int | None = None
    #: The marker this answers. The two tables point at each other: added after both exist.
    marker_id: UUID | None = Field(
        default=None,
        sa_column=Column(
            Uuid,
            ForeignKey("video_markers.id", use_alter=True, name="fk_messages_marker_id"),
            nullable=True,
        ),
    )
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    edited_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
    deleted_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
    #: SHA-256 of the request that made it: tells a repeated create from another one (B-19).
    create_fingerprint: str


class MessageRead(SQLModel, table=True):
    """That somebody has read a message, and when first."""

    __tablename__ = "message_reads"

    message_id: UUID = Field(primary_key=True, foreign_key="messages.id")
    user_id: int = Field(primary_key=True, foreign_key="users.id")
    read_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class SubmissionView(SQLModel, table=True):
    """How far somebody has watched a take."""

    __tablename__ = "submission_views"
    __table_args__ = (
        CheckConstraint("max_position_ms >= 0", name="max_position"),
        CheckConstraint("watched_ms >= 0", name="watched"),
    )

    submission_id: UUID = Field(primary_key=True, foreign_key="video_submissions.id")
    user_id: int = Field(primary_key=True, foreign_key="users.id")
    first_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    last_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    max_position_ms: int = 0
    watched_ms: int = 0


class VideoMarker(SQLModel, table=True):
    """Text at a moment, or a range, of a take or of a message's video."""

    __tablename__ = "video_markers"
    __table_args__ = (
        Index("ix_video_markers_submission_id_timestamp_ms", "submission_id", "timestamp_ms"),
        partial_index("ix_video_markers_message_id", "message_id", where="message_id IS NOT NULL"),
        partial_index(
            "ix_video_markers_open_questions",
            "submission_id",
            where="marker_type = 'question' AND status = 'open' AND deleted_at IS NULL",
        ),
        CheckConstraint(one_of("marker_type", "feedback", "question", "praise"), name="type"),
        CheckConstraint(one_of("status", "open", "tried", "settled"), name="status"),
        CheckConstraint("timestamp_ms >= 0", name="timestamp"),
        CheckConstraint("end_ms > timestamp_ms", name="range"),
        CheckConstraint("measure_end >= measure_number", name="measures"),
        UniqueConstraint("author_id", "client_id"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    submission_id: UUID = Field(foreign_key="video_submissions.id")
    #: Null: it is on the take itself.
    message_id: UUID | None = Field(default=None, foreign_key="messages.id")
    author_id: int = Field(foreign_key="users.id")
    timestamp_ms: int
    end_ms: int | None = None
    text: str = Field(sa_column=Column(Text, nullable=False))
    marker_type: str
    page_number: int | None = None
    measure_number: int | None = None
    measure_end: int | None = None
    status: str = "open"
    settled_by_submission_id: UUID | None = Field(default=None, foreign_key="video_submissions.id")
    carried_from_id: UUID | None = Field(default=None, foreign_key="video_markers.id")
    #: Made by the client: the same id and author is the same marker, however often it is sent.
    client_id: UUID | None = None
    create_fingerprint: str | None = None
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    edited_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
    deleted_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
