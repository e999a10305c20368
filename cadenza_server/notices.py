"""Which events a person is told of, in words: the rows behind the bell.

Nobody is told of what they did themselves. What follows on the same thing and is still unread is
gathered: twelve markers on one take are one notification. What is taken back before it was read
disappears.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, select, update

from cadenza_server.announcements import Announcement
from cadenza_server.database import Session
from cadenza_server.tables import metadata

MAX_BODY = 140
_NOTIFICATIONS, _USERS = metadata.tables["notifications"], metadata.tables["users"]
_NAME = select(func.coalesce(_USERS.c.full_name, _USERS.c.email)).where(
    _USERS.c.id == bindparam("user_id")
)
_UNREAD = (
    select(_NOTIFICATIONS.c.id, _NOTIFICATIONS.c.event_count)
    .where(
        _NOTIFICATIONS.c.user_id == bindparam("user_id"),
        _NOTIFICATIONS.c.read_at.is_(None),
        _NOTIFICATIONS.c.type == bindparam("kind"),
        _NOTIFICATIONS.c.submission_id == bindparam("submission_id"),
        _NOTIFICATIONS.c.actor_id == bindparam("actor_id"),
    )
    .limit(1)
)
#: For one, and for several of the same.
_SENTENCES: dict[str, tuple[str, str]] = {
    "submission.uploaded": ("{name} sent a take", "{name} sent a take"),
    "submission.reviewed": ("{name} reviewed your take", "{name} reviewed your take"),
    "message.created": ("{name} wrote to you", "{name} wrote {count} messages"),
    "marker.created": ("{name} marked a moment", "{name} marked {count} moments"),
}
#: What takes back which.
_TAKEN_BACK = {
    "submission.reopened": ("submission.reviewed",),
    "submission.deleted": tuple(_SENTENCES),
}


class Notice(NamedTuple):
    """Facts of a `notification.created` event."""

    audience: frozenset[int]
    subject_id: UUID
    data: dict[str, Any]


def notifies(event_type: str) -> bool:
    """Whether anything may have to be written, or taken back, for an event of this type."""
    taken_back = event_type in _TAKEN_BACK or event_type in ("message.deleted", "marker.deleted")
    return event_type in _SENTENCES or taken_back


def notify(
    session: Session, at: datetime, event_id: str, announcement: Announcement
) -> Iterator[Notice]:
    """Write what follows from one event; yields each notification, new or changed."""
    _take_back(session, announcement)
    if announcement.type not in _SENTENCES:
        return
    recipients = sorted(announcement.audience - {announcement.actor_id})
    if not recipients:
        return
    actor_id = announcement.actor_id
    name = session.core.execute(_NAME, {"user_id": actor_id}).scalar() or "Cadenza"
    for user_id in recipients:
        notification_id = _gather(session, at, event_id, announcement, user_id, name)
        data = {"notification_id": str(notification_id), **announcement.data}
        yield Notice(frozenset({user_id}), notification_id, data)


def _gather(
    session: Session,
    at: datetime,
    event_id: str,
    announcement: Announcement,
    user_id: int,
    name: str,
) -> UUID:
    submission_id = UUID(announcement.data["submission_id"])
    same = {
        "user_id": user_id,
        "kind": announcement.type,
        "submission_id": submission_id,
        "actor_id": announcement.actor_id,
    }
    unread = session.core.execute(_UNREAD, same).first()
    count = unread.event_count + 1 if unread else 1
    one, many = _SENTENCES[announcement.type]
    values: dict[str, Any] = {
        "event_id": event_id,
        "event_count": count,
        "title": (one if count == 1 else many).format(name=name, count=count),
        "body": _shortened(announcement.about or ""),
        "url": page_url(announcement.type, submission_id, announcement.subject_id),
        "created_at": at,
    }
    if unread:
        here = _NOTIFICATIONS.c.id == unread.id
        session.core.execute(update(_NOTIFICATIONS).where(here).values(values))
        return UUID(str(unread.id))
    values |= {
        "id": uuid4(),
        "user_id": user_id,
        "type": announcement.type,
        "submission_id": submission_id,
        "actor_id": announcement.actor_id,
    }
    session.core.execute(insert(_NOTIFICATIONS), values)
    return UUID(str(values["id"]))


def _take_back(session: Session, announcement: Announcement) -> None:
    if kinds := _TAKEN_BACK.get(announcement.type):
        gone: tuple[ColumnElement[bool], ...] = (
            _NOTIFICATIONS.c.submission_id == announcement.subject_id,
            _NOTIFICATIONS.c.type.in_(kinds),
            _NOTIFICATIONS.c.read_at.is_(None),
        )
        session.core.execute(delete(_NOTIFICATIONS).where(*gone))
    elif announcement.type in ("message.deleted", "marker.deleted"):
        # Read or not: it shows words that their author took back.
        submission_id = UUID(announcement.data["submission_id"])
        created = announcement.type.replace("deleted", "created")
        gone = (
            _NOTIFICATIONS.c.submission_id == submission_id,
            _NOTIFICATIONS.c.type == created,
            _NOTIFICATIONS.c.url == page_url(created, submission_id, announcement.subject_id),
        )
        session.core.execute(delete(_NOTIFICATIONS).where(*gone))


def page_url(kind: str, submission_id: UUID, subject_id: UUID) -> str:
    """Where on the page it is to be seen."""
    name = {"message.created": "message", "marker.created": "marker"}.get(kind)
    return f"/v/{submission_id}" + (f"?{name}={subject_id}" if name else "")


def _shortened(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= MAX_BODY else f"{line[: MAX_BODY - 1].rstrip()}…"
