"""The tables of what follows a change: the outbox, notifications, webhooks, derivatives."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Text,
    true,
)
from sqlmodel import Field, SQLModel

from cadenza_server.columns import UtcDateTime, one_of, partial_index


class Event(SQLModel, table=True):
    """One line of the outbox, written with the change it tells of (B-66).

    Who reads by `seq` misses nothing: a row is visible only when all lower ones are (`outbox`).
    """

    __tablename__ = "events"
    # AUTOINCREMENT: a number is never given twice, also after old rows were pruned. A listener
    # that was away for a month would otherwise wait for numbers it has passed already.
    __table_args__ = {"sqlite_autoincrement": True}

    seq: int | None = Field(
        default=None,
        sa_column=Column(
            BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
        ),
    )
    #: `evt_` and a UUID's hex digits: what receivers tell repeats by.
    id: str = Field(unique=True)
    type: str
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False, index=True))
    actor_id: int | None = None
    #: Ids of the users who may hear of it; nobody else ever does.
    audience: list[int] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    subject_id: UUID
    data: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class Notification(SQLModel, table=True):
    """What one person is to be told, until it is read. It outlives its event."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index("ix_notifications_user_id_created_at", "user_id", "created_at"),
        partial_index("ix_notifications_unread", "user_id", where="read_at IS NULL"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    user_id: int = Field(foreign_key="users.id")
    #: The latest event it tells of; that row is pruned after 30 days.
    event_id: str
    type: str
    submission_id: UUID | None = None
    actor_id: int | None = None
    #: How many events of the same kind it stands for: twelve markers are one notification.
    event_count: int = 1
    title: str
    body: str = Field(sa_column=Column(Text, nullable=False))
    url: str
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    read_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))


class Webhook(SQLModel, table=True):
    """Where one user wants his events to be posted."""

    __tablename__ = "webhooks"
    __table_args__ = (partial_index("ix_webhooks_active", "owner_id", where="active"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    owner_id: int = Field(foreign_key="users.id", index=True)
    url: str
    #: What the signing secret is derived from, by a key of the keyring: `{key id}.{nonce}`.
    secret: str = Field(sa_column=Column(Text, nullable=False), repr=False)
    #: Types it wants; empty for all.
    event_types: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    active: bool = Field(default=True, sa_column_kwargs={"server_default": true()})
    disabled_reason: str | None = None
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class WebhookDelivery(SQLModel, table=True):
    """One event on its way to one webhook; what the receiver answered is kept as a number only."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_webhook_id_created_at", "webhook_id", "created_at"),
        partial_index("ix_webhook_deliveries_due", "next_at", where="status = 'pending'"),
        CheckConstraint(one_of("status", "pending", "delivered", "failed"), name="status"),
        CheckConstraint("attempt >= 0", name="attempt"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    webhook_id: UUID = Field(
        sa_column=Column(ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False)
    )
    event_id: str = Field(
        sa_column=Column(ForeignKey("events.id", ondelete="CASCADE"), nullable=False, index=True)
    )
    #: How often it was tried. It fences too: a late outcome of an earlier attempt changes nothing.
    attempt: int = 0
    status: str = "pending"
    response_code: int | None = None
    error_code: str | None = None
    #: When it is due; while it is tried, when another worker may take it over.
    next_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    finished_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))


class Derivative(SQLModel, table=True):
    """Something the server makes from a video, off the request path."""

    __tablename__ = "derivatives"
    __table_args__ = (
        partial_index(
            "ix_derivatives_unfinished", "created_at", where="state IN ('pending', 'running')"
        ),
        CheckConstraint(
            one_of("kind", "storyboard", "waveform", "loudness", "normalise"), name="kind"
        ),
        CheckConstraint(one_of("state", "pending", "running", "ready", "failed"), name="state"),
        CheckConstraint("attempts >= 0", name="attempts"),
    )

    asset_id: UUID = Field(primary_key=True, foreign_key="media_assets.id")
    kind: str = Field(primary_key=True)
    state: str = "pending"
    #: How often it was begun. It fences too: a worker that lost its lease changes nothing.
    attempts: int = 0
    lease_until: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
    error_code: str | None = None
    key: str | None = None
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    finished_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
