"""What happens, as it happens: events, notifications, and where they are posted to."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field

from cadenza_client._models.base import Model, Timestamp, null_as_empty

__all__ = ["LiveEvent", "Notification", "Webhook", "WebhookDelivery"]


class LiveEvent(Model):
    """Something that happened to a take or its thread: from the stream, or from a webhook.

    Attributes:
        id: the same wherever and however often the event is delivered.
        type: `submission.uploaded`, `message.created`, …
        data: always holds `submission_id` and `user_id`, the student; and the ids of what else it
            is about.
        seq: its place in the stream, to go on after; None from a webhook.
    """

    id: str
    type: str
    timestamp: Timestamp
    data: dict[str, Any] = Field(default_factory=dict)
    seq: int | None = None

    @property
    def submission_id(self) -> UUID | None:
        """The submission it is about."""
        return _id_in(self.data, "submission_id")

    @property
    def message_id(self) -> UUID | None:
        """The message it is about, if it is about one."""
        return _id_in(self.data, "message_id")

    @property
    def marker_id(self) -> UUID | None:
        """The marker it is about, if it is about one."""
        return _id_in(self.data, "marker_id")


class Notification(Model):
    """One line for the signed-in person: what happened, and where to look.

    `event_count` is how many events it stands for: twelve markers are one notification.
    """

    id: str
    type: str
    title: str
    body: str | None = None
    url: str | None = None
    submission_id: UUID | None = None
    event_count: int = 1
    created_at: Timestamp
    read_at: Timestamp | None = None


class Webhook(Model):
    """An address events are posted to.

    Attributes:
        event_types: the types that are posted; empty for all.
        secret: what the posts are signed with; only in the answer to its creation.
        disabled_reason: why the server stopped posting, if it did.
    """

    id: UUID
    url: str
    event_types: Annotated[tuple[str, ...], BeforeValidator(null_as_empty)] = ()
    active: bool = True
    disabled_reason: str | None = None
    secret: str | None = Field(default=None, repr=False)
    created_at: Timestamp | None = None


class WebhookDelivery(Model):
    """One event on its way to one webhook.

    Attributes:
        attempt: how often it was tried.
        status: `pending`, `delivered`, `failed`, or a word of a later server.
        response_code: what the receiver answered last.
        next_at: when it is tried again.
    """

    id: UUID
    webhook_id: UUID | None = None
    event_id: str
    event_type: str | None = None
    attempt: int = 0
    status: str
    response_code: int | None = None
    error_code: str | None = None
    next_at: Timestamp | None = None
    created_at: Timestamp | None = None
    finished_at: Timestamp | None = None


def _id_in(data: dict[str, Any], name: str) -> UUID | None:
    try:
        return UUID(str(data.get(name)))
    except ValueError:
        return None
