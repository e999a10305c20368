"""Takes as the page's lists show them: chosen columns, words instead of codes, signed pictures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Row, Select, bindparam, func, select
from sqlmodel import col

from cadenza_server.context import Context
from cadenza_server.database import Session
from cadenza_server.page.words import ago, clock, place, plural, span, until
from cadenza_server.reviewing import ANSWER_WITHIN
from cadenza_server.submissions import CONTEXT_TITLE, select_views
from cadenza_server.tables import Derivative, MediaAsset, User, VideoSubmission
from cadenza_server.threads import has_question, unread_in

NAME = func.coalesce(col(User.full_name), col(User.email))
TITLE = func.coalesce(CONTEXT_TITLE, "Practice")
ARRIVED = col(MediaAsset.confirmed_at)
ASKS = has_question()
SOON_SECONDS = 6 * 3600
_TILES = ("columns", "count", "tile_width", "tile_height")
_COLUMNS: tuple[Any, ...] = (
    col(VideoSubmission.id),
    col(VideoSubmission.user_id).label("student_id"),
    NAME.label("student"),
    TITLE.label("title"),
    col(VideoSubmission.page_number),
    col(VideoSubmission.measure_number),
    col(VideoSubmission.measure_end),
    col(VideoSubmission.duration_seconds),
    col(VideoSubmission.notes),
    col(VideoSubmission.captured_at),
    col(VideoSubmission.created_at),
    col(VideoSubmission.reviewed_at),
    col(VideoSubmission.is_mastered),
    ARRIVED.label("arrived_at"),
    col(MediaAsset.state),
    col(MediaAsset.thumbnail_s3_key),
    ASKS.label("asks"),
)


@dataclass(frozen=True)
class Take:
    """One row of a list, ready to be shown."""

    id: UUID
    title: str
    student: str
    student_id: int
    place: str
    length: str
    note: str
    word: str
    tone: str
    picture: str
    asks: bool
    unread: int
    is_mastered: bool
    captured_at: datetime
    captured: str
    arrived_at: datetime | None
    waiting: str
    due_at: datetime | None
    left: str
    urgency: str
    thumbnail_url: str | None
    storyboard_url: str | None
    tiles: str


def takes_query(
    conditions: Sequence[ColumnElement[bool]], order: Sequence[Any]
) -> Select[*tuple[Any, ...]]:
    """The takes that meet all conditions, in this order; `limit` and `offset` are parameters.

    Building and keying a statement of this size takes longer than running it: what is asked
    often is built once.
    """
    return (
        select_views()
        .with_only_columns(*_COLUMNS)
        .where(*conditions)
        .order_by(*order, col(VideoSubmission.id))
        .limit(bindparam("limit", type_=Integer))
        .offset(bindparam("offset", type_=Integer))
    )


def load_takes(
    ctx: Context,
    session: Session,
    query: Select[*tuple[Any, ...]],
    *,
    limit: int,
    offset: int = 0,
    **parameters: Any,
) -> list[Take]:
    """Run a `takes_query`: three statements, however many takes there are."""
    bounds = {"limit": limit, "offset": offset}
    rows = session.core.execute(query, {**bounds, **parameters}).all()
    ids = [row.id for row in rows]
    unread = {one[0]: one[2] for one in unread_in(session, ctx.actor.id, ids)} if ids else {}
    boards = _storyboards(session, ids)
    now = ctx.now()
    return [_take(ctx, row, now, unread.get(row.id, 0), boards.get(row.id)) for row in rows]


def _take(
    ctx: Context, row: Row[Any], now: datetime, unread: int, board: tuple[str, str] | None
) -> Take:
    word, tone, picture = _word(row, unread)
    due = row.arrived_at + ANSWER_WITHIN if row.arrived_at else None
    return Take(
        id=row.id,
        title=row.title,
        student=row.student,
        student_id=row.student_id,
        place=place(row.page_number, row.measure_number, row.measure_end),
        length=clock(row.duration_seconds),
        note=(row.notes or "").strip(),
        word=word,
        tone=tone,
        picture=picture,
        asks=bool(row.asks),
        unread=unread,
        is_mastered=row.is_mastered,
        captured_at=row.captured_at,
        captured=ago(row.captured_at, now),
        arrived_at=row.arrived_at,
        waiting=span((now - row.arrived_at).total_seconds()) if row.arrived_at else "",
        due_at=due,
        left=until(due, now) if due else "",
        urgency=_urgency(due, now),
        thumbnail_url=_signed(ctx, row.thumbnail_s3_key),
        storyboard_url=_signed(ctx, board[0]) if board else None,
        tiles=board[1] if board else "",
    )


def _word(row: Row[Any], unread: int) -> tuple[str, str, str]:
    """The one word a student reads, its tone, and what stands in for a picture."""
    if row.state == "awaiting_upload":
        return "Sending", "", "cloud"
    if row.state == "invalid":
        return "Can’t be played", "danger", "alert"
    if row.state == "expired":
        return "No longer kept", "", "clock"
    if unread:
        return f"New reply ({unread})", "accent", "takes"
    if row.reviewed_at is not None:
        return "Reviewed", "praise", "takes"
    return "Sent", "", "takes"


def _urgency(due: datetime | None, now: datetime) -> str:
    left = (due - now).total_seconds() if due else SOON_SECONDS
    return "late" if left < 0 else "soon" if left < SOON_SECONDS else ""


def _signed(ctx: Context, key: str | None) -> str | None:
    expires_in = ctx.settings.upload_url_expires_seconds
    return ctx.storage.presign_get(key, expires_in=expires_in) if key else None


_STORYBOARDS = select(col(Derivative.asset_id), col(Derivative.key), col(Derivative.facts)).where(
    col(Derivative.asset_id).in_(bindparam("ids", expanding=True)),
    col(Derivative.kind) == "storyboard",
    col(Derivative.state) == "ready",
    col(Derivative.key).is_not(None),
)


def _storyboards(session: Session, ids: Collection[UUID]) -> Mapping[UUID, tuple[str, str]]:
    """Asset → key of its sprite; columns, count and size of its tiles: `10x60x160x90`."""
    if not ids:
        return {}
    return {
        asset_id: (key, "x".join(str(facts.get(name, 1)) for name in _TILES))
        for asset_id, key, facts in session.core.execute(_STORYBOARDS, {"ids": ids})
    }


@dataclass(frozen=True)
class PieceProgress:
    """How far a student is with one thing they practise."""

    title: str
    takes: int
    reviewed: int
    is_mastered: bool
    latest_at: datetime
    latest: str
    summary: str


def load_progress(ctx: Context, session: Session, student_id: int) -> list[PieceProgress]:
    """By piece or exercise, the latest first."""
    latest = func.max(col(VideoSubmission.captured_at))
    query = (
        select_views()
        .with_only_columns(
            TITLE.label("title"),
            func.count().label("takes"),
            func.count(col(VideoSubmission.reviewed_at)).label("reviewed"),
            func.count(col(VideoSubmission.mastered_at)).label("mastered"),
            latest.label("latest"),
        )
        .where(col(VideoSubmission.user_id) == student_id)
        .group_by(TITLE)
        .order_by(latest.desc())
    )
    now = ctx.now()
    return [
        PieceProgress(
            title=row.title,
            takes=row.takes,
            reviewed=row.reviewed,
            is_mastered=row.mastered > 0,
            latest_at=row.latest,
            latest=ago(row.latest, now),
            summary=f"{plural(row.takes, 'take')}, {row.reviewed} reviewed",
        )
        for row in session.core.execute(query)
    ]


def grouped(takes: Iterable[Take], key: str) -> list[tuple[str, list[Take]]]:
    """Neighbours with the same student or title, under one heading."""
    groups: list[tuple[str, list[Take]]] = []
    for take in takes:
        heading: str = getattr(take, key)
        if not groups or groups[-1][0] != heading:
            groups.append((heading, []))
        groups[-1][1].append(take)
    return groups
