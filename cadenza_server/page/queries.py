"""What the frame of the page counts: with every page, so these statements are built once."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import bindparam, func, select
from sqlmodel import col

from cadenza_server.database import Session
from cadenza_server.submissions import select_views
from cadenza_server.tables import Event, MediaAsset, Notification, User, VideoSubmission
from cadenza_server.threads import has_question, shown_to_teacher

_USER_ID: Any = bindparam("user_id")
_MINE = shown_to_teacher(cast("int", _USER_ID))
#: What waits for a review: not reviewed, and its video is here.
IS_WAITING = (
    col(VideoSubmission.reviewed_at).is_(None),
    col(MediaAsset.state).in_(("uploaded", "ready")),
)
_EVERYWHERE = select(
    select(col(User.full_name)).where(col(User.id) == _USER_ID).scalar_subquery(),
    select(func.count())
    .where(col(Notification.user_id) == _USER_ID, col(Notification.read_at).is_(None))
    .scalar_subquery(),
    select(func.max(col(Event.seq))).scalar_subquery(),
)
_COUNT_WAITING = (
    select(func.count())
    .select_from(VideoSubmission)
    .join(User, col(User.id) == col(VideoSubmission.user_id))
    .join(MediaAsset, col(MediaAsset.id) == col(VideoSubmission.asset_id))
    .where(*_MINE, *IS_WAITING, col(VideoSubmission.deleted_at).is_(None))
)
_IS_ON_THE_WAY = select(
    select_views()
    .with_only_columns(col(VideoSubmission.id))
    .where(*_MINE, col(MediaAsset.state) == "awaiting_upload")
    .exists()
)


class Everywhere(NamedTuple):
    """The facts of the navigation bar."""

    full_name: str | None
    unread: int
    last_seq: int


class Totals(NamedTuple):
    """What the head of a queue says."""

    takes: int
    questions: int
    oldest: datetime | None


def load_everywhere(session: Session, user_id: int) -> Everywhere:
    """One statement for all of it."""
    row = session.core.execute(_EVERYWHERE, {"user_id": user_id}).one()
    return Everywhere(row[0], row[1], row[2] or 0)


def count_waiting(session: Session, teacher_id: int) -> int:
    """How many takes wait for this teacher."""
    return session.core.execute(_COUNT_WAITING, {"user_id": teacher_id}).scalar_one()


def is_any_on_the_way(session: Session, teacher_id: int) -> bool:
    """Whether anything was announced that is not here: usually not, and then nobody looks."""
    return session.core.execute(_IS_ON_THE_WAY, {"user_id": teacher_id}).scalar_one()


def totals_query(conditions: Any) -> Any:
    """The statement of `Totals` for the takes that meet all conditions."""
    return (
        select_views()
        .with_only_columns(
            func.count(),
            func.count().filter(has_question()),
            func.min(col(MediaAsset.confirmed_at)),
        )
        .where(*conditions)
    )
