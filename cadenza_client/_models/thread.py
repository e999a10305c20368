"""The conversation about a take: messages, and markers at moments of its video."""

from __future__ import annotations

from uuid import UUID, uuid4

from pydantic import ConfigDict, Field

from cadenza_client._models.base import Derivatives, Model, Timestamp
from cadenza_client._models.transfer import Receipt, UploadTarget

__all__ = [
    "Marker",
    "MarkerChanges",
    "Message",
    "MessageConfirmation",
    "MessageTicket",
    "NewMarker",
    "NewMessage",
    "Unread",
]


class Message(Model):
    """One message in a submission's thread: text, a video, or both.

    Attributes:
        media_state: None without a video; otherwise as a submission's.
        read_at: when the other side read it.
        is_own: whether the signed-in account wrote it.
        deleted_at: set on what is left of a deleted message, which has neither text nor video.
    """

    id: UUID
    submission_id: UUID
    sender_id: int
    sender_name: str | None = None
    text: str | None = None
    video_s3_key: str | None = None
    video_duration_seconds: int | None = None
    thumbnail_s3_key: str | None = None
    media_state: str | None = None
    page_number: int | None = None
    measure_number: int | None = None
    marker_id: UUID | None = None
    created_at: Timestamp
    edited_at: Timestamp | None = None
    deleted_at: Timestamp | None = None
    read_at: Timestamp | None = None
    is_own: bool | None = None
    thumbnail_url: str | None = Field(default=None, repr=False)
    derivatives: Derivatives = ()

    @property
    def has_video(self) -> bool:
        """Whether it has a video, sent or still on its way."""
        return self.media_state is not None


class NewMessage(Model):
    """What is to be said. Text, a video (`include_video`), or both (422 otherwise).

    `id` is made here, so that the same message sent twice is one message; give the same one when
    you repeat a call of an earlier process. A video needs `video_duration_seconds`, and is sent to
    the ticket's URL afterwards.
    """

    model_config = ConfigDict(extra="forbid")

    id: UUID = Field(default_factory=uuid4)
    text: str | None = None
    include_video: bool | None = None
    video_duration_seconds: int | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    thumbnail_size_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    content_type: str | None = None
    page_number: int | None = None
    measure_number: int | None = None
    marker_id: UUID | None = None


class MessageTicket(Model):
    """The answer to a create or to a request for fresh URLs, as `UploadTicket` for a take.

    `message` is None when only URLs were asked for; `video` is None for a message of text alone.
    """

    message: Message | None = None
    video: UploadTarget | None = None
    thumbnail: UploadTarget | None = None
    received_at_monotonic: float


class MessageConfirmation(Model):
    """A message whose video has arrived, and the proof of it."""

    message: Message
    receipt: Receipt


class Unread(Model):
    """How many messages of others have not been read.

    Attributes:
        total: all of them.
        by_submission: for each thread that has some.
        by_student: for each student whose threads have some.
    """

    total: int = 0
    by_submission: dict[UUID, int] = Field(default_factory=dict[UUID, int])
    by_student: dict[int, int] = Field(default_factory=dict[int, int])


class Marker(Model):
    """Words at a moment, or from a moment to another, of a take or of a message's video.

    Attributes:
        message_id: the message whose video it is on; None on the take itself.
        timestamp_ms: from the beginning of the video.
        end_ms: set for a range.
        marker_type: `feedback`, `question`, `praise`, or a word of a later server.
        status: `open`, `tried` or `settled`.
        client_id: made by the client that wrote it.
        is_own: whether the signed-in account wrote it; only its author may delete it.
    """

    id: UUID
    submission_id: UUID
    message_id: UUID | None = None
    author_id: int
    author_name: str | None = None
    timestamp_ms: int
    end_ms: int | None = None
    text: str
    marker_type: str
    page_number: int | None = None
    measure_number: int | None = None
    measure_end: int | None = None
    status: str = "open"
    settled_by_submission_id: UUID | None = None
    carried_from_id: UUID | None = None
    client_id: UUID | None = None
    created_at: Timestamp
    edited_at: Timestamp | None = None
    is_own: bool | None = None


class NewMarker(Model):
    """A marker to be set. A student writes questions; `marker_type` may be left to the server.

    `client_id` is made here, so that the same marker sent twice is one marker.
    """

    model_config = ConfigDict(extra="forbid")

    timestamp_ms: int
    text: str
    end_ms: int | None = None
    marker_type: str | None = None
    page_number: int | None = None
    measure_number: int | None = None
    measure_end: int | None = None
    client_id: UUID = Field(default_factory=uuid4)


class MarkerChanges(Model):
    """What is to be changed of a marker: only what is given; None given takes a value away."""

    model_config = ConfigDict(extra="forbid")

    timestamp_ms: int | None = None
    text: str | None = None
    end_ms: int | None = None
    marker_type: str | None = None
    page_number: int | None = None
    measure_number: int | None = None
    measure_end: int | None = None
