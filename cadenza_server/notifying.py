"""What one person was told, and has read or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, update
from sqlmodel import col, select

from cadenza_server.access import Subject, require
from cadenza_server.context import Context
from cadenza_server.database import Session
from cadenza_server.errors import ApiError
from cadenza_server.pagination import SortKey, after, read_cursor, write_cursor
from cadenza_server.tables import Notification

_NEWEST_FIRST = (
    SortKey(col(Notification.created_at), descending=True),
    SortKey(col(Notification.id), descending=True),
)


@dataclass(frozen=True)
class NotificationPage:
    """One page of notifications, and where the next one begins."""

    rows: list[Notification]
    total: int
    next_cursor: str | None


def load_notifications(
    session: Session, user_id: int, *, unread: bool | None, limit: int, cursor: str | None
) -> NotificationPage:
    """What a user was told, the newest first.

    Args:
        session: to ask.
        user_id: whose.
        unread: only what is unread (True) or read (False); None for all.
        limit: how many.
        cursor: from the page before.
    """
    conditions = [col(Notification.user_id) == user_id]
    if unread is not None:
        read_at = col(Notification.read_at)
        conditions.append(read_at.is_(None) if unread else read_at.is_not(None))
    count = select(func.count()).select_from(Notification).where(*conditions)
    query = (
        select(Notification)
        .where(*conditions)
        .order_by(*(key.ordered for key in _NEWEST_FIRST))
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(after(_NEWEST_FIRST, read_cursor(cursor, (datetime, UUID))))
    rows = list(session.exec(query))
    shown = rows[:limit]
    more = len(rows) > limit
    next_cursor = write_cursor((shown[-1].created_at, shown[-1].id)) if more else None
    return NotificationPage(shown, session.exec(count).one(), next_cursor)


def read_notification(ctx: Context, notification_id: UUID) -> Notification:
    """One's own was read; the first time counts.

    Raises:
        ApiError: `not_found`; `forbidden` for somebody else's.
    """
    with ctx.db.writing() as session:
        notification = session.get(Notification, notification_id)
        if notification is None:
            raise ApiError("not_found", "There is no such notification.")
        require(ctx.actor, Subject(notification.user_id), "own")
        if notification.read_at is None:
            notification.read_at = ctx.now()
            session.add(notification)
    return notification


def read_all(ctx: Context) -> None:
    """All of one's own were read."""
    with ctx.db.writing() as session:
        session.execute(
            update(Notification)
            .where(col(Notification.user_id) == ctx.actor.id, col(Notification.read_at).is_(None))
            .values(read_at=ctx.now())
        )
