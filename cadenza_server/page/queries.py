"""What the frame of the page counts."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func, select
from sqlmodel import col

from cadenza_server.database import Session
from cadenza_server.tables import Event, MediaAsset, Notification, User, VideoSubmission
from cadenza_server.threads import shown_to_teacher


class Everywhere(NamedTuple):
    """The facts of the navigation bar."""

    full_name: str | None
    unread: int
    last_seq: int


def load_everywhere(session: Session, user_id: int) -> Everywhere:
    """One statement for all of it: it runs with every page."""
    name = select(col(User.full_name)).where(col(User.id) == user_id)
    unread = select(func.count()).where(
        col(Notification.user_id) == user_id, col(Notification.read_at).is_(None)
    )
    last_seq = select(func.max(col(Event.seq)))
    row = session.core.execute(
        select(name.scalar_subquery(), unread.scalar_subquery(), last_seq.scalar_subquery())
    ).one()
    return Everywhere(row[0], row[1], row[2] or 0)


def count_waiting(session: Session, teacher_id: int) -> int:
    """How many takes wait for this teacher."""
    query = (
        select(func.count())
        .select_from(VideoSubmission)
        .join(User, col(User.id) == col(VideoSubmission.user_id))
        .join(MediaAsset, col(MediaAsset.id) == col(VideoSubmission.asset_id))
        .where(
            *shown_to_teacher(teacher_id),
            col(VideoSubmission.reviewed_at).is_(None),
            col(VideoSubmission.deleted_at).is_(None),
            col(MediaAsset.state).in_(("uploaded", "ready")),
        )
    )
    return session.core.execute(query).scalar_one()
