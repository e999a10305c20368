"""The outbox: what changed, written in the transaction that changed it (B-66).

One row of `events` for each change; the event stream and the webhooks read it, and so a change is
told if and only if it happened. Notifications and webhook deliveries are rows of the same
transaction.

Who reads by `seq` misses nothing. A number is given inside a writing transaction, and those take
turns from before the number is given until the commit is visible: SQLite by its write lock,
PostgreSQL by the advisory lock every writing transaction begins with. Without that lock a lower
number could become visible after a higher one, and a reader would have passed it by.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import bindparam, delete, insert, select

from cadenza_server.announcements import Announcement, EventType, Hook, Membership
from cadenza_server.batches import Batch
from cadenza_server.clock import wire_time
from cadenza_server.database import Database, Session
from cadenza_server.notices import notifies, notify
from cadenza_server.tables import metadata

KEPT_DAYS = 30
#: What PostgreSQL's NOTIFY wakes the event streams of all processes by.
CHANNEL = "cadenza_events"

_EVENTS = metadata.tables["events"]
_WEBHOOKS = metadata.tables["webhooks"]
_DELIVERIES = metadata.tables["webhook_deliveries"]
_SUBMISSIONS, _USERS = metadata.tables["video_submissions"], metadata.tables["users"]
_INSERT = insert(_EVENTS)
_INTERESTED = select(_WEBHOOKS.c.id, _WEBHOOKS.c.owner_id, _WEBHOOKS.c.event_types).where(
    _WEBHOOKS.c.active, _WEBHOOKS.c.owner_id.in_(bindparam("owners", expanding=True))
)
_PEOPLE = (
    select(
        _SUBMISSIONS.c.created_at,
        _SUBMISSIONS.c.user_id,
        _USERS.c.teacher_id,
        _USERS.c.teacher_since,
        _USERS.c.share_history,
    )
    .join(_USERS, _USERS.c.id == _SUBMISSIONS.c.user_id)
    .where(_SUBMISSIONS.c.id == bindparam("id"))
)


def announce(session: Session, at: datetime, *announcements: Announcement) -> None:
    """Write events, the notifications and the webhook deliveries that follow from them.

    To be called within the writing transaction of the change.
    """
    told = [(_new_id(), announcement) for announcement in announcements]
    for event_id, announcement in list(told):
        told += [
            (_new_id(), Announcement("notification.created", announcement.actor_id, *notice))
            for notice in notify(session, at, event_id, announcement)
        ]
    if not told:
        return
    owners = sorted({user for _, one in told for user in one.audience})
    rows = session.core.execute(_INTERESTED, {"owners": owners})
    batch = Batch()
    _write(batch, at, told, [Hook(*row) for row in rows])
    batch.insert(session)


def announce_into(
    batch: Batch, hooks: Sequence[Hook], at: datetime, announcement: Announcement
) -> None:
    """The same for an event that notifies nobody, and who knows the webhooks of its audience.

    Args:
        batch: of the change; to be inserted in the same transaction.
        hooks: read in that transaction too.
        at: when it happened.
        announcement: of a type that is in nobody's bell.
    """
    assert not notifies(announcement.type)
    _write(batch, at, [(_new_id(), announcement)], hooks)


def in_thread(
    session: Session,
    event: EventType,
    actor_id: int | None,
    submission_id: UUID,
    *,
    subject_id: UUID | None = None,
    about: str | None = None,
    **data: Any,
) -> Announcement:
    """An announcement to the student and whoever may review the take at this moment.

    Args:
        session: within the change.
        event: what happened.
        actor_id: who did it.
        submission_id: in which thread; it and the student's id are added to the data.
        subject_id: what it is about, when that is not the submission itself.
        about: see `Announcement`.
        data: more ids.
    """
    student_id, audience = participants(session, submission_id)
    shown = thread_data(submission_id, student_id)
    shown |= {
        name: str(value) if isinstance(value, UUID) else value for name, value in data.items()
    }
    return Announcement(event, actor_id, audience, subject_id or submission_id, shown, about)


def thread_data(submission_id: UUID, student_id: int) -> dict[str, Any]:
    """What the data of every event of a thread begins with."""
    return {"submission_id": str(submission_id), "user_id": student_id}


def participants(session: Session, submission_id: UUID) -> tuple[int, frozenset[int]]:
    """The student, and everybody in the thread: the student and the current teacher (F000-19)."""
    created_at, *facts = session.core.execute(_PEOPLE, {"id": submission_id}).one()
    membership = Membership(*facts)
    return membership.student_id, membership.audience(created_at)


def ping_event(session: Session, at: datetime, owner_id: int, webhook_id: UUID) -> str:
    """An event nobody's stream shows, to be sent to one webhook. Returns its id."""
    event_id = _new_id()
    values = {
        "id": event_id,
        "type": "webhook.test",
        "at": at,
        "actor_id": owner_id,
        "audience": [],
        "subject_id": webhook_id,
        "data": {"webhook_id": str(webhook_id)},
    }
    session.core.execute(_INSERT, values)
    return event_id


def wire_event(event_id: str, kind: str, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
    """An event as the stream and the webhooks show it (§2.11)."""
    return {"id": event_id, "type": kind, "timestamp": wire_time(at), "data": data}


def prune(db: Database, now: datetime) -> int:
    """Forget events, and the deliveries of them, that are older than 30 days.

    Returns:
        How many events went.
    """
    with db.writing() as session:
        old = delete(_EVENTS).where(_EVENTS.c.at < now - timedelta(days=KEPT_DAYS))
        return session.core.execute(old).rowcount


def _new_id() -> str:
    return f"evt_{uuid4().hex}"


def _row(event_id: str, at: datetime, announcement: Announcement) -> dict[str, Any]:
    return {
        "id": event_id,
        "type": announcement.type,
        "at": at,
        "actor_id": announcement.actor_id,
        "audience": sorted(announcement.audience),
        "subject_id": announcement.subject_id,
        "data": announcement.data,
    }


def _write(
    batch: Batch, at: datetime, told: Sequence[tuple[str, Announcement]], hooks: Sequence[Hook]
) -> None:
    batch.add(_EVENTS, *(_row(event_id, at, one) for event_id, one in told))
    deliveries = [
        delivery_row(hook.id, event_id, at)
        for event_id, one in told
        for hook in hooks
        if hook.owner_id in one.audience and wants(hook.event_types, one.type)
    ]
    if deliveries:
        batch.add(_DELIVERIES, *deliveries)
    batch.wakes = CHANNEL


def delivery_row(webhook_id: UUID, event_id: str, at: datetime) -> dict[str, Any]:
    """A delivery that is due at once."""
    return {
        "id": uuid4(),
        "webhook_id": webhook_id,
        "event_id": event_id,
        "attempt": 0,
        "status": "pending",
        "next_at": at,
        "created_at": at,
    }


def wants(event_types: Iterable[str], kind: str) -> bool:
    """Whether a webhook asked for this type; one that named none gets all but notifications."""
    chosen = list(event_types)
    return kind in chosen if chosen else kind != "notification.created"
