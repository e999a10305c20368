"""What the API says, as frozen pydantic models.

Unknown fields are ignored (W8: the server may add some at any time) and the fields that only
profile v2 knows have defaults, so the same models read a v1 server. Times are aware datetimes in
UTC, sizes are bytes, durations whole seconds unless the name says otherwise. Signed URLs and
tokens are left out of every `repr` (SEC-02).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field

from cadenza_client._models.base import Derivative, Derivatives, Model, Timestamp, null_as_empty
from cadenza_client._models.live import LiveEvent, Notification, Webhook, WebhookDelivery
from cadenza_client._models.thread import (
    Marker,
    MarkerChanges,
    Message,
    MessageConfirmation,
    MessageTicket,
    NewMarker,
    NewMessage,
    Unread,
)
from cadenza_client._models.transfer import (
    Fingerprint,
    Playback,
    Receipt,
    StoredObject,
    UploadTarget,
)

__all__ = [
    "Confirmation",
    "Derivative",
    "Exercise",
    "Fingerprint",
    "Health",
    "LiveEvent",
    "Marker",
    "MarkerChanges",
    "Message",
    "MessageConfirmation",
    "MessageTicket",
    "NewMarker",
    "NewMessage",
    "NewSubmission",
    "Notification",
    "Piece",
    "PiecePage",
    "Playback",
    "PracticeSession",
    "QueueItem",
    "Receipt",
    "Routine",
    "SignIn",
    "StoredObject",
    "Submission",
    "Unread",
    "UploadEvent",
    "UploadTarget",
    "UploadTicket",
    "User",
    "Webhook",
    "WebhookDelivery",
]


# ── identity ───────────────────────────────────────────────────────────────────────────────────


class Health(Model):
    """`GET /health`. A v1 server names no profiles, so `profiles` is empty."""

    status: str
    version: str | None = None
    time: Timestamp | None = None
    profiles: Annotated[tuple[str, ...], BeforeValidator(null_as_empty)] = ()


class User(Model):
    """A student or a teacher."""

    id: int
    email: str
    full_name: str | None = None
    user_type: str | None = None
    teacher_id: int | None = None
    created_at: Timestamp | None = None


class SignIn(Model):
    """A bearer token and whose it is."""

    access_token: str = Field(repr=False)
    user: User
    expires_in: int | None = None


# ── pieces, routines, practice ─────────────────────────────────────────────────────────────────


class PiecePage(Model):
    """One page of a piece's score."""

    page_number: int
    width: int | None = None
    height: int | None = None
    measure_start: int | None = None
    measure_end: int | None = None
    image_url: str | None = Field(default=None, repr=False)


class Piece(Model):
    """A piece of music. Its pages are there only when one piece is read."""

    id: UUID
    title: str
    owner_id: int | None = None
    pdf_filename: str | None = None
    page_count: int | None = None
    shared_from_piece_id: UUID | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    pages: Annotated[tuple[PiecePage, ...], BeforeValidator(null_as_empty)] = ()


class Exercise(Model):
    """One item of a routine."""

    id: UUID
    routine_id: UUID | None = None
    piece_id: UUID | None = None
    order_index: int | None = None
    title: str | None = None
    recommended_time_seconds: int | None = None
    intentions: str | None = None
    start_page: int | None = None


class Routine(Model):
    """What a student is to practise."""

    id: UUID
    title: str
    owner_id: int | None = None
    created_at: Timestamp | None = None
    exercises: Annotated[tuple[Exercise, ...], BeforeValidator(null_as_empty)] = ()


class PracticeSession(Model):
    """One sitting at the instrument."""

    id: UUID
    user_id: int | None = None
    routine_id: UUID | None = None
    started_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    duration_seconds: int | None = None


# ── submissions ────────────────────────────────────────────────────────────────────────────────


class Submission(Model):
    """What the server knows of a take.

    `media_state` is None from a v1 server; otherwise `awaiting_upload`, `uploaded`, `ready`,
    `invalid`, `expired`, `deleted`, or a word of a later server.
    """

    id: UUID
    user_id: int
    exercise_id: UUID | None = None
    piece_id: UUID | None = None
    session_id: UUID | None = None
    s3_key: str
    thumbnail_s3_key: str | None = None
    duration_seconds: int
    notes: str | None = None
    reviewed_at: Timestamp | None = None
    reviewed_by_id: int | None = None
    created_at: Timestamp

    media_state: str | None = None
    captured_at: Timestamp | None = None
    uploaded_at: Timestamp | None = None
    page_number: int | None = None
    measure_number: int | None = None
    measure_end: int | None = None
    is_mastered: bool | None = None
    mastered_at: Timestamp | None = None
    context_title: str | None = None
    thumbnail_url: str | None = Field(default=None, repr=False)
    size_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    source: str | None = None
    derivatives: Derivatives = ()
    unread_count: int | None = None
    marker_count: int | None = None
    question_count: int | None = None


class NewSubmission(Model):
    """What a student announces. At least one of exercise, piece and session (422 otherwise).

    `id` is made by the client, which makes the create idempotent (B-19); `size_bytes` and
    `sha256` let the server bind the upload URL to exactly these bytes (B-13).
    """

    model_config = ConfigDict(extra="forbid")

    duration_seconds: int
    id: UUID | None = None
    exercise_id: UUID | None = None
    piece_id: UUID | None = None
    session_id: UUID | None = None
    notes: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    captured_at: Timestamp | None = None
    page_number: int | None = None
    measure_number: int | None = None
    measure_end: int | None = None
    thumbnail_size_bytes: int | None = None


class UploadTicket(Model):
    """The answer to a create or to a request for fresh URLs.

    `submission` is None when only URLs were asked for. `received_at_monotonic` is on the client's
    monotonic clock, so that `expires_in` needs no agreement about the time of day (S13, K01).
    """

    submission: Submission | None = None
    video: UploadTarget | None = None
    thumbnail: UploadTarget | None = None
    received_at_monotonic: float


class Confirmation(Model):
    """A confirmed submission, its receipt, and which profile the server spoke."""

    submission: Submission
    receipt: Receipt
    profile: Literal["v1", "v2"]


class UploadEvent(Model):
    """One immutable line of a submission's trail."""

    event: str
    at: Timestamp
    id: str | None = None
    seq: int | None = None
    actor_id: int | None = None
    asset_id: UUID | None = None
    submission_id: UUID | None = None
    take_id: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    prev_hash: str | None = None
    hash: str | None = None


class QueueItem(Model):
    """One line of a teacher's review queue."""

    submission: Submission
    student_id: int | None = None
    student_name: str | None = None
    waiting_seconds: int | None = None
    has_question: bool | None = None
    due_at: Timestamp | None = None
