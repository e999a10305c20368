"""Reading messages: one query with everything a row shows, and its form on the wire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlmodel import col

from cadenza_server.access import Action, Actor
from cadenza_server.assets import Held
from cadenza_server.confirming import confirm_lazily
from cadenza_server.context import Context
from cadenza_server.database import Session
from cadenza_server.errors import ApiError
from cadenza_server.pagination import SortKey, after, read_cursor, write_cursor
from cadenza_server.schemas_thread import MessageOut
from cadenza_server.submissions import View, load_view
from cadenza_server.tables import MediaAsset, Message, MessageRead, User
from cadenza_server.threads import is_visible_to, load_derivatives

# The first moment at which somebody other than the sender had read it.
_READ_AT = (
    select(func.min(MessageRead.read_at))
    .where(
        col(MessageRead.message_id) == col(Message.id),
        col(MessageRead.user_id) != col(Message.sender_id),
    )
    .correlate(Message)
    .scalar_subquery()
)
_SENDER_NAME = func.coalesce(col(User.full_name), col(User.email))
_OLDEST_FIRST = (SortKey(col(Message.created_at)), SortKey(col(Message.id)))
# A thread asks the store for so many videos that may have arrived unannounced, and no more.
_LAZY_LOOKS = 50


@dataclass(frozen=True)
class ShownMessage:
    """What the wire shows of a message."""

    message: Message
    asset: MediaAsset | None
    sender_name: str
    read_at: datetime | None

    @property
    def held(self) -> Held:
        """For the life cycle of its bytes. They settle as soon as they were seen.

        Raises:
            ApiError: `no_video`.
        """
        if self.asset is None or self.message.deleted_at is not None:
            raise ApiError("no_video")
        return Held(self.asset, self.message.submission_id, is_closed=True)


@dataclass(frozen=True)
class MessageView(ShownMessage):
    """The same, with the thread it is in: what access is decided on."""

    thread: View

    @property
    def download_name(self) -> str:
        """`2026-11-20-Bourree-reply.mp4`."""
        day = self.message.created_at.date().isoformat()
        return f"{day}-{self.thread.context_title or 'take'}-reply.mp4"


def load_message(session: Session, actor: Actor, message_id: UUID, action: Action) -> MessageView:
    """One message the actor may act on; `own` is for its sender, while they are in the thread.

    Raises:
        ApiError: `not_found`, also for a video that is still on its way to the reader;
            `forbidden`; `submission_deleted`.
    """
    row = session.execute(_select().where(col(Message.id) == message_id)).first()
    if row is None:
        raise _unknown()
    shown = ShownMessage(*row)
    of_thread: Action = "take_part" if action == "own" else action
    thread = load_view(session, actor, shown.message.submission_id, of_thread)
    is_sender = shown.message.sender_id == actor.id
    if action == "own" and not is_sender:
        raise ApiError("forbidden", "Only who wrote a message may change it.")
    has_arrived = shown.asset is None or shown.asset.confirmed_at is not None
    if not (is_sender or has_arrived or shown.message.text is not None):
        raise _unknown()
    return MessageView(shown.message, shown.asset, shown.sender_name, shown.read_at, thread)


def _unknown() -> ApiError:
    return ApiError("not_found", "There is no such message.")


def message_loader(
    actor: Actor, message_id: UUID, action: Action
) -> Callable[[Session], MessageView]:
    """`load_message` for those who load twice: once to look, once under the write lock."""
    return partial(load_message, actor=actor, message_id=message_id, action=action)


def _select() -> Select[*tuple[Any, ...]]:
    return (
        select(Message, MediaAsset, _SENDER_NAME, _READ_AT)
        .join(User, col(User.id) == Message.sender_id)
        .outerjoin(MediaAsset, col(MediaAsset.id) == Message.asset_id)
    )


@dataclass(frozen=True)
class MessagePage:
    """One page of a thread, and where the next one begins."""

    shown: list[ShownMessage]
    total: int
    next_cursor: str | None


def load_thread(
    session: Session, actor: Actor, submission_id: UUID, *, limit: int, cursor: str | None
) -> MessagePage:
    """The messages of a thread that the actor may see, oldest first, tombstones included."""
    load_view(session, actor, submission_id, "see")
    conditions = (col(Message.submission_id) == submission_id, is_visible_to(actor.id))
    chosen = _select().where(*conditions)
    total = session.execute(select(func.count()).select_from(chosen.subquery())).scalar_one()
    query = chosen.order_by(*(key.ordered for key in _OLDEST_FIRST)).limit(limit + 1)
    if cursor is not None:
        query = query.where(after(_OLDEST_FIRST, read_cursor(cursor, (datetime, UUID))))
    rows = session.execute(query).all()
    shown = [_shown(row) for row in rows[:limit]]
    last = shown[-1].message if len(rows) > limit else None
    next_cursor = write_cursor((last.created_at, last.id)) if last else None
    return MessagePage(shown, total, next_cursor)


def _shown(row: Row[*tuple[Any, ...]]) -> ShownMessage:
    return ShownMessage(*row)


def look_for_arrival(ctx: Context, message_id: UUID) -> None:
    """Confirm lazily a message's video that is stored already, for one who may see the thread."""
    with ctx.db.reading() as session:
        message = session.get(Message, message_id)
        if message is None:
            return
        load_view(session, ctx.actor, message.submission_id, "see")
        waiting = waiting_in(session, col(Message.id) == message_id)
    confirm_lazily(ctx, waiting)


def waiting_in(session: Session, condition: ColumnElement[bool]) -> list[Held]:
    """Videos of messages that may have arrived unannounced (B-02)."""
    query = (
        _select()
        .where(
            condition,
            col(Message.deleted_at).is_(None),
            col(MediaAsset.state) == "awaiting_upload",
        )
        .order_by(col(Message.created_at).desc())
        .limit(_LAZY_LOOKS)
    )
    return [_shown(row).held for row in session.execute(query)]


def messages_out(ctx: Context, shown: Sequence[ShownMessage]) -> list[MessageOut]:
    """Any number of messages on the wire, in a constant number of statements."""
    ids = [one.asset.id for one in shown if one.asset is not None]
    made = {}
    if ids:
        with ctx.db.reading() as session:
            made = load_derivatives(session, ids)
    return [_to_wire(ctx, one, list(made.get(one.message.id, ()))) for one in shown]


def message_out(ctx: Context, shown: ShownMessage) -> MessageOut:
    """One message on the wire."""
    return messages_out(ctx, [shown])[0]


def _to_wire(ctx: Context, shown: ShownMessage, derivatives: list[Any]) -> MessageOut:
    message = shown.message
    asset = shown.asset if message.deleted_at is None else None
    key = asset.thumbnail_s3_key if asset else None
    expires_in = ctx.settings.upload_url_expires_seconds
    return MessageOut(
        id=message.id,
        submission_id=message.submission_id,
        sender_id=message.sender_id,
        sender_name=shown.sender_name,
        text=message.text,
        video_s3_key=asset.s3_key if asset else None,
        video_duration_seconds=message.video_duration_seconds if asset else None,
        thumbnail_s3_key=key,
        thumbnail_url=ctx.storage.presign_get(key, expires_in=expires_in) if key else None,
        media_state=asset.state if asset else None,
        derivatives=derivatives if asset else [],
        page_number=message.page_number,
        measure_number=message.measure_number,
        marker_id=message.marker_id,
        created_at=message.created_at,
        edited_at=message.edited_at,
        deleted_at=message.deleted_at,
        read_at=shown.read_at,
        is_own=message.sender_id == ctx.actor.id,
    )
