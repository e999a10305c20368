"""Who may do what: one function, asked everywhere (B-67)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from cadenza_server.errors import ApiError
from cadenza_server.tables import User

Action = Literal["see", "own", "review", "take_part"]


@dataclass(frozen=True)
class Actor:
    """The signed-in user, as facts; never a database row that could go stale or be written to."""

    id: int
    email: str
    user_type: str | None
    studio_id: int | None
    is_studio_admin: bool
    features: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """What is asked about, reduced to the people who matter.

    Attributes:
        owner_id: whose it is.
        teacher_id: the owner's current teacher, when this thing is shared with that teacher.
        studio_id: the owner's studio.
        shared_with: further users who may look at it (an assigned routine, its pieces).
    """

    owner_id: int
    teacher_id: int | None = None
    studio_id: int | None = None
    shared_with: frozenset[int] = frozenset()


def can_access(actor: Actor, subject: Subject, action: Action) -> bool:
    """The rule.

    - `own` (change, upload, delete): the owner.
    - `review`: the owner's current teacher, never the owner (F000-68).
    - `take_part` (write messages and markers): the owner and the current teacher (F001-U1).
    - `see`: both, whoever it is shared with, and the studio's admin.
    """
    is_owner = actor.id == subject.owner_id
    is_teacher = actor.id == subject.teacher_id and not is_owner
    if action == "own":
        return is_owner
    if action == "review":
        return is_teacher
    if action == "take_part":
        return is_owner or is_teacher
    is_admin = actor.is_studio_admin and actor.studio_id is not None
    return (
        is_owner
        or is_teacher
        or actor.id in subject.shared_with
        or (is_admin and actor.studio_id == subject.studio_id)
    )


def require(actor: Actor, subject: Subject, action: Action) -> None:
    """Raise 403 `forbidden` unless `can_access`."""
    if not can_access(actor, subject, action):
        raise ApiError("forbidden")


def subject_of(owner: User, *, created_at: datetime | None = None) -> Subject:
    """The subject for something of `owner`'s.

    Args:
        owner: whose it is.
        created_at: when it was made; what is older than the present teacher is shown to them
            only when the student shares the history (B-30).
    """
    assert owner.id is not None
    shared = (
        owner.share_history
        or created_at is None
        or owner.teacher_since is None
        or created_at >= owner.teacher_since
    )
    return Subject(owner.id, owner.teacher_id if shared else None, owner.studio_id)
