"""What an upload is to the life cycle: an asset, and what it belongs to (§2.5).

Takes and video messages are announced, uploaded, confirmed and watched by the same code; here is
all that this code needs to know of either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select
from sqlmodel import col

from cadenza_server.database import Database, Session
from cadenza_server.events import Fact
from cadenza_server.keys import video_key_of_upload
from cadenza_server.tables import MediaAsset, Message, VideoSubmission
from cadenza_server.uploads import is_frozen


@dataclass(frozen=True)
class Held:
    """An asset and whose life it shares.

    Attributes:
        asset: the stored bytes.
        submission_id: the thread they are part of; its audit trail tells of them.
        is_closed: whether even a client that can't confirm may not send them again (B-24): a
            take's bytes after its review, a message's as soon as they were seen.
    """

    asset: MediaAsset
    submission_id: UUID
    is_closed: bool

    @property
    def is_frozen(self) -> bool:
        """See `uploads.is_frozen`."""
        return is_frozen(self.asset, is_closed=self.is_closed)

    def fact(self, event: str, actor_id: int, data: dict[str, Any] | None = None) -> Fact:
        """A line for the audit trail of the thread."""
        return Fact(event, actor_id, self.submission_id, data or {}, asset_id=self.asset.id)


class Holder(Protocol):
    """A take or a message, with the bytes it holds."""

    @property
    def held(self) -> Held:
        """For the life cycle of the bytes."""
        ...


Holding = TypeVar("Holding", bound=Holder)
"""Which of them."""


def find_held(session: Session, asset_id: UUID) -> Held | None:
    """The asset with this id as it is now, whoever asks: for callers that have checked already."""
    return _first(session, col(MediaAsset.id) == asset_id)


def is_sealed(db: Database, key: str) -> bool:
    """Whether the object under this key is settled: nothing may replace it (SEC-08)."""
    is_thumbnail = key.endswith("_thumb.jpg")
    video_key = key.removesuffix("_thumb.jpg") + ".mp4" if is_thumbnail else key
    video_key = video_key_of_upload(video_key)
    with db.reading() as session:
        held = _first(session, col(MediaAsset.s3_key) == video_key)
    if held is None:
        return False
    return held.asset.thumbnail_s3_key == key if is_thumbnail else held.is_frozen


def _first(session: Session, condition: ColumnElement[bool]) -> Held | None:
    row = session.execute(_select().where(condition)).first()
    if row is None:
        return None
    asset, submission_id, reviewed_at, thread_id = row
    if thread_id is not None:
        return Held(asset, thread_id, is_closed=True)
    return Held(asset, submission_id, is_closed=reviewed_at is not None)


def _select() -> Select[*tuple[Any, ...]]:
    return (
        select(
            MediaAsset,
            col(VideoSubmission.id),
            col(VideoSubmission.reviewed_at),
            col(Message.submission_id),
        )
        .outerjoin(VideoSubmission, col(VideoSubmission.id) == MediaAsset.id)
        .outerjoin(Message, col(Message.asset_id) == MediaAsset.id)
        .where(or_(col(VideoSubmission.id).is_not(None), col(Message.id).is_not(None)))
    )
