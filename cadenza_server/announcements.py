"""What can be told, and to whom: the words that the outbox, the bell and the webhooks share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

EventType = Literal[
    "submission.created",
    "submission.uploaded",
    "submission.ready",
    "submission.reviewed",
    "submission.reopened",
    "submission.deleted",
    "message.created",
    "message.updated",
    "message.deleted",
    "message.read",
    "marker.created",
    "marker.updated",
    "marker.deleted",
    "derivative.changed",
    "notification.created",
]
EVENT_TYPES: tuple[str, ...] = get_args(EventType)


@dataclass(frozen=True)
class Announcement:
    """A change, before it has its place in the outbox.

    Attributes:
        type: what happened.
        actor_id: who did it; None for the server itself.
        audience: who may hear of it, and nobody else.
        subject_id: the submission, message, marker, asset or notification it is about.
        data: ids for programs; never text, titles or URLs of media.
        about: what a person is told it is about (a title, the start of a text); for notifications
            only, never for the stream or a webhook.
    """

    type: EventType
    actor_id: int | None
    audience: frozenset[int]
    subject_id: UUID
    data: dict[str, Any] = field(default_factory=dict)
    about: str | None = None


@dataclass(frozen=True)
class Hook:
    """A webhook that is on, and which types it asked for."""

    id: UUID
    owner_id: int
    event_types: list[str]


@dataclass(frozen=True)
class Membership:
    """Who teaches a student at this moment; what decides who is in a thread."""

    student_id: int
    teacher_id: int | None
    teacher_since: datetime | None
    share_history: bool

    def audience(self, created_at: datetime) -> frozenset[int]:
        """The student and the current teacher.

        What is older than the present teacher is theirs only when the student shares it (B-30).
        """
        shared = (
            self.share_history or self.teacher_since is None or created_at >= self.teacher_since
        )
        if not shared or self.teacher_id is None:
            return frozenset({self.student_id})
        return frozenset({self.student_id, self.teacher_id})
