"""What goes with a deleted take, or a deleted message: the words as well as the bytes (SEC-27).

Rows stay as tombstones, so that a repeated request makes nothing new; what somebody said in them is
overwritten, and notifications that repeat it go, read or not.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlmodel import col

from cadenza_server.database import Session
from cadenza_server.derivatives.wanting import forget
from cadenza_server.keys import keys_of
from cadenza_server.notices import page_url
from cadenza_server.tables import MediaAsset, Message, Notification, VideoMarker


def bury_thread(session: Session, submission_id: UUID, now: datetime) -> tuple[str, ...]:
    """The thread of a deleted submission: its videos, its messages, its markers.

    Returns:
        The keys to remove from the store. A message whose video is on hold stays as it is, with
        the markers on it; nobody reaches it through the deleted submission.
    """
    keys: list[str] = []
    of_thread = (
        select(MediaAsset)
        .join(Message, col(Message.asset_id) == MediaAsset.id)
        .where(col(Message.submission_id) == submission_id)
    )
    held: list[UUID] = []
    for asset in session.execute(of_thread).scalars():
        if asset.hold:
            held.append(asset.id)
        elif asset.deleted_at is None:
            asset.deleted_at, asset.state = now, "deleted"
            session.add(asset)
            forget(session, asset.id)
            keys += keys_of(asset.s3_key)
    session.flush()
    session.core.execute(
        update(Message)
        .where(
            col(Message.submission_id) == submission_id,
            col(Message.deleted_at).is_(None),
            col(Message.id).not_in(held),
        )
        .values(text=None, deleted_at=now)
    )
    on_held = col(VideoMarker.message_id).in_(held)
    _erase_markers(
        session,
        now,
        col(VideoMarker.submission_id) == submission_id,
        or_(col(VideoMarker.message_id).is_(None), ~on_held),
    )
    session.core.execute(
        delete(Notification).where(col(Notification.submission_id) == submission_id)
    )
    return tuple(keys)


def bury_markers(session: Session, submission_id: UUID, message_id: UUID, now: datetime) -> None:
    """The markers on the video of a deleted message, and the notifications that quote them."""
    here = col(VideoMarker.message_id) == message_id
    ids = session.core.execute(select(col(VideoMarker.id)).where(here)).scalars().all()
    if not ids:
        return
    _erase_markers(session, now, here)
    urls = [page_url("marker.created", submission_id, marker_id) for marker_id in ids]
    session.core.execute(
        delete(Notification).where(
            col(Notification.submission_id) == submission_id, col(Notification.url).in_(urls)
        )
    )


def _erase_markers(session: Session, now: datetime, *where: ColumnElement[bool]) -> None:
    alive = col(VideoMarker.deleted_at).is_(None)
    query = update(VideoMarker).where(alive, *where).values(text="", deleted_at=now)
    session.core.execute(query)
