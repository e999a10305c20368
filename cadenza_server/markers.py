"""Reading markers: with their authors' names, in the order of the video, in pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlmodel import col

from cadenza_server.access import Action, Actor
from cadenza_server.database import Session
from cadenza_server.errors import ApiError
from cadenza_server.marker_rules import duration_ms
from cadenza_server.messages import MessageView, load_message
from cadenza_server.pagination import SortKey, after, read_cursor, write_cursor
from cadenza_server.schemas_thread import MarkerOut
from cadenza_server.submissions import View, load_view
from cadenza_server.tables import MediaAsset, Message, User, VideoMarker
from cadenza_server.threads import is_live_marker, is_visible_to

_AUTHOR_NAME = func.coalesce(col(User.full_name), col(User.email))
_IN_TIME = (SortKey(col(VideoMarker.timestamp_ms)), SortKey(col(VideoMarker.id)))


@dataclass(frozen=True)
class Target:
    """The video a marker is on: the take, or that of a message in its thread."""

    thread: View
    message: MessageView | None = None

    @property
    def message_id(self) -> UUID | None:
        """Null for the take."""
        return self.message.message.id if self.message else None

    @property
    def duration_ms(self) -> int:
        """How long it is."""
        if self.message is None:
            seconds = self.thread.submission.duration_seconds
            return duration_ms(self.thread.asset.duration_ms, seconds)
        asset = self.message.held.asset
        return duration_ms(asset.duration_ms, self.message.message.video_duration_seconds or 0)

    @property
    def page_number(self) -> int | None:
        """The page a marker on it is about, unless it says otherwise (F001-U3)."""
        of_message = self.message.message.page_number if self.message else None
        return of_message or self.thread.submission.page_number


def take_target(session: Session, actor: Actor, submission_id: UUID, action: Action) -> Target:
    """The take's own video.

    Raises:
        ApiError: those of `load_view`.
    """
    return Target(load_view(session, actor, submission_id, action))


def message_target(session: Session, actor: Actor, message_id: UUID, action: Action) -> Target:
    """A message's video.

    Raises:
        ApiError: those of `load_message`; `no_video`.
    """
    message = load_message(session, actor, message_id, action)
    assert message.held  # refuses what has no video
    return Target(message.thread, message)


@dataclass(frozen=True)
class ShownMarker:
    """A marker and its author's name."""

    marker: VideoMarker
    author_name: str

    def to_wire(self, actor: Actor) -> MarkerOut:
        """For somebody."""
        fields = self.marker.model_dump(exclude={"create_fingerprint", "deleted_at"})
        return MarkerOut(
            **fields,
            author_name=self.author_name,
            is_own=self.marker.author_id == actor.id,
        )


@dataclass(frozen=True)
class MarkerPage:
    """One page of markers, and where the next one begins."""

    shown: list[ShownMarker]
    total: int
    next_cursor: str | None


def load_marker(
    session: Session, actor: Actor, marker_id: UUID, action: Action
) -> tuple[ShownMarker, Target]:
    """One marker, deleted or not, and the video it is on.

    Raises:
        ApiError: `not_found`; those of the thread, and of the message it is on.
    """
    row = session.execute(_select().where(col(VideoMarker.id) == marker_id)).first()
    if row is None:
        raise unknown_marker()
    shown = ShownMarker(*row)
    marker = shown.marker
    if marker.message_id is None:
        return shown, take_target(session, actor, marker.submission_id, action)
    try:
        return shown, message_target(session, actor, marker.message_id, action)
    except ApiError as error:
        if error.code == "no_video":  # the message was deleted, and its markers with it
            raise unknown_marker() from None
        raise


def unknown_marker() -> ApiError:
    """For what never was, and what is no more."""
    return ApiError("not_found", "There is no such marker.")


def load_page(
    session: Session, condition: ColumnElement[bool], *, limit: int, cursor: str | None
) -> MarkerPage:
    """One page of the markers that are alive, in the order of the video."""
    chosen = _select().where(condition, is_live_marker())
    total = session.execute(select(func.count()).select_from(chosen.subquery())).scalar_one()
    query = chosen.order_by(*(key.ordered for key in _IN_TIME)).limit(limit + 1)
    if cursor is not None:
        query = query.where(after(_IN_TIME, read_cursor(cursor, (int, UUID))))
    rows = session.execute(query).all()
    shown = [ShownMarker(*row) for row in rows[:limit]]
    last = shown[-1].marker if len(rows) > limit else None
    next_cursor = write_cursor((last.timestamp_ms, last.id)) if last else None
    return MarkerPage(shown, total, next_cursor)


def load_all(session: Session, condition: ColumnElement[bool]) -> list[ShownMarker]:
    """All of them: the take's first, then each message's, each in the order of its video."""
    query = (
        _select()
        .where(condition, is_live_marker())
        .outerjoin(Message, col(Message.id) == VideoMarker.message_id)
        .order_by(
            col(VideoMarker.message_id).is_not(None),
            col(Message.created_at),
            *(key.ordered for key in _IN_TIME),
        )
    )
    return [ShownMarker(*row) for row in session.execute(query)]


def on_take(submission_id: UUID) -> ColumnElement[bool]:
    """SQL: on the take itself."""
    return (col(VideoMarker.submission_id) == submission_id) & col(VideoMarker.message_id).is_(None)


def in_thread_of(submission_id: UUID, actor: Actor) -> ColumnElement[bool]:
    """SQL: on the take, and on the videos of its thread that the actor may see."""
    visible = (
        select(col(Message.id))
        .outerjoin(MediaAsset, col(MediaAsset.id) == Message.asset_id)
        .where(col(Message.submission_id) == submission_id, is_visible_to(actor.id))
    )
    on_message = col(VideoMarker.message_id).in_(visible)
    of_thread = col(VideoMarker.submission_id) == submission_id
    return of_thread & (col(VideoMarker.message_id).is_(None) | on_message)


def on_message(message_id: UUID) -> ColumnElement[bool]:
    """SQL: on a message's video."""
    return col(VideoMarker.message_id) == message_id


def count_on(session: Session, target: Target) -> int:
    """How many there are on one video."""
    where = (
        on_take(target.thread.submission.id)
        if target.message_id is None
        else on_message(target.message_id)
    )
    query = select(func.count()).select_from(VideoMarker).where(where, is_live_marker())
    count: int = session.execute(query).scalar_one()
    return count


def _select() -> Select[*tuple[Any, ...]]:
    return select(VideoMarker, _AUTHOR_NAME).join(User, col(User.id) == VideoMarker.author_id)
