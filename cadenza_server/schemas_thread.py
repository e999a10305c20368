"""The wire of a thread: messages, markers, unread counts, notifications (PR2, PR3)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from cadenza_server.clock import Timestamp
from cadenza_server.receipts import Receipt
from cadenza_server.schemas import (
    MAX_SECONDS,
    NO_NUL,
    Answer,
    Count,
    Derivative,
    Flag,
    MediaState,
    RequestBody,
    Sha256,
    UploadUrls,
)

MAX_TEXT = 5000
MAX_MARKER_TEXT = 1000
_BIG = 2**53

MarkerType = Literal["feedback", "question", "praise"]
MarkerStatus = Literal["open", "tried", "settled"]
VideoType = Literal["video/mp4", "video/webm"]
Bytes = Annotated[int, Field(strict=True, ge=1, le=_BIG)]
Pixels = Annotated[int, Field(strict=True, ge=1, le=100_000)]
# What lies outside a video has a code of its own; this only keeps out what no column holds.
Milliseconds = Annotated[int, Field(strict=True, ge=-(2**31), lt=2**31)]
MessageText = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=MAX_TEXT, pattern=NO_NUL)
]
MarkerText = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=MAX_MARKER_TEXT, pattern=NO_NUL
    ),
]


# ── messages ───────────────────────────────────────────────────────────────────


class NewMessage(RequestBody):
    """A reply: text, a video, or both. With a video the answer says where to put it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0b5c1c9e-5c3f-4e5e-9d1a-6a0c9b7f4d21",
                    "text": "Listen to the bass line here.",
                    "include_video": True,
                    "video_duration_seconds": 12,
                    "size_bytes": 2123456,
                    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                    "page_number": 3,
                    "measure_number": 17,
                }
            ]
        }
    )

    id: UUID | None = Field(default=None, description="made by the client; repeats are safe (B-19)")
    text: MessageText | None = None
    include_video: Flag = False
    video_duration_seconds: Annotated[int, Field(strict=True, ge=1, le=MAX_SECONDS)] | None = None
    size_bytes: Bytes | None = None
    sha256: Sha256 | None = None
    thumbnail_size_bytes: Bytes | None = None
    width: Pixels | None = None
    height: Pixels | None = None
    content_type: VideoType = "video/mp4"
    page_number: Count | None = None
    measure_number: Count | None = None
    marker_id: UUID | None = Field(default=None, description="the marker this answers")


class EditMessage(RequestBody):
    """Other words, within 15 minutes."""

    text: MessageText


class MessageOut(Answer):
    """A message. A deleted one stays in its place without its text and video."""

    id: UUID
    submission_id: UUID
    sender_id: int
    sender_name: str
    text: str | None
    video_s3_key: str | None
    video_duration_seconds: int | None
    thumbnail_s3_key: str | None
    thumbnail_url: str | None = Field(repr=False)
    media_state: MediaState | None = Field(description="null without a video")
    derivatives: list[Derivative]
    page_number: int | None
    measure_number: int | None
    marker_id: UUID | None
    created_at: Timestamp
    edited_at: Timestamp | None
    deleted_at: Timestamp | None
    read_at: Timestamp | None = Field(description="when the other side read it first")
    is_own: bool


class MessageCreated(UploadUrls):
    """The message, and where its video goes."""

    message: MessageOut


class MessageConfirmed(Answer):
    """The server has the video; the receipt is the licence to delete the local copy (B-01)."""

    message: MessageOut
    receipt: Receipt


class Unread(Answer):
    """How many messages wait to be read."""

    total: int
    by_submission: dict[str, int]
    by_student: dict[str, int] = Field(description="by the id of the thread's student")


# ── markers ────────────────────────────────────────────────────────────────────


class NewMarker(RequestBody):
    """Words at a moment, or from one moment to another, of a video."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "client_id": "0d7a4f4e-58a6-4d0f-b1c5-6a2f2b8f9c10",
                    "timestamp_ms": 23400,
                    "end_ms": 27100,
                    "text": "Keep the bow moving over the string crossing.",
                    "marker_type": "feedback",
                    "measure_number": 17,
                    "measure_end": 18,
                }
            ]
        }
    )

    timestamp_ms: Milliseconds
    end_ms: Milliseconds | None = Field(default=None, description="null: a moment, no range")
    text: MarkerText
    marker_type: MarkerType | None = Field(
        default=None, description="a teacher's is `feedback`, a student's `question`"
    )
    page_number: Count | None = Field(default=None, description="the take's, when left out")
    measure_number: Count | None = None
    measure_end: Count | None = None
    client_id: UUID | None = Field(
        default=None, description="made by the client; repeats are safe (B-19)"
    )


def _not_null() -> Any:
    """The default of a field that may be left out, not taken away: `model_fields_set` knows."""

    def undefault(schema: dict[str, Any]) -> None:
        del schema["default"]

    return Field(default=None, json_schema_extra=undefault)


class EditMarker(RequestBody):
    """What is to change; what is left out stays. The author edits, either side sets the status."""

    timestamp_ms: Milliseconds = _not_null()
    end_ms: Milliseconds | None = None
    text: MarkerText = _not_null()
    marker_type: MarkerType = _not_null()
    page_number: Count | None = None
    measure_number: Count | None = None
    measure_end: Count | None = None
    status: MarkerStatus = _not_null()
    settled_by_submission_id: UUID | None = Field(
        default=None, description="the take that shows it; with `tried` or `settled`"
    )


class MarkerOut(Answer):
    """A marker."""

    id: UUID
    submission_id: UUID
    message_id: UUID | None = Field(description="null: it is on the take itself")
    author_id: int
    author_name: str
    timestamp_ms: int
    end_ms: int | None
    text: str
    marker_type: MarkerType
    page_number: int | None
    measure_number: int | None
    measure_end: int | None
    status: MarkerStatus
    settled_by_submission_id: UUID | None
    carried_from_id: UUID | None
    client_id: UUID | None
    created_at: Timestamp
    edited_at: Timestamp | None
    is_own: bool


class MarkerExport(Answer):
    """All markers of a take and of its thread's videos, to keep."""

    submission_id: UUID
    context_title: str | None
    captured_at: Timestamp
    duration_ms: int
    markers: list[MarkerOut]


# ── notifications ──────────────────────────────────────────────────────────────


class NotificationOut(Answer):
    """What one person is told, until it is read."""

    id: UUID
    type: str
    title: str
    body: str
    url: str = Field(description="a path on the page")
    submission_id: UUID | None
    event_count: int = Field(description="how many events it stands for")
    created_at: Timestamp
    read_at: Timestamp | None
