"""Reading submissions: one query with everything a row shows, and its form on the wire (B-27)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from cadenza_server.access import Action, Actor, Subject, require, subject_of
from cadenza_server.assets import Held
from cadenza_server.database import Session
from cadenza_server.errors import ApiError
from cadenza_server.pagination import SortKey, after, read_cursor, write_cursor
from cadenza_server.storage import Storage
from cadenza_server.tables import (
    Exercise,
    MediaAsset,
    Piece,
    PracticeSession,
    Routine,
    User,
    VideoSubmission,
)
from cadenza_server.threads import Extras

_ExercisePiece = aliased(Piece)
_SessionRoutine = aliased(Routine)
#: What the take is of, in words: the exercise, else the piece, else the routine practised.
CONTEXT_TITLE: ColumnElement[str | None] = func.coalesce(
    col(Exercise.title), col(_ExercisePiece.title), col(Piece.title), col(_SessionRoutine.title)
)


@dataclass(frozen=True)
class Shown:
    """What the wire shows of a submission."""

    submission: VideoSubmission
    asset: MediaAsset
    context_title: str | None

    @property
    def held(self) -> Held:
        """For the life cycle of its bytes; they settle with the review, if not before (B-24)."""
        return Held(self.asset, self.submission.id, self.submission.reviewed_at is not None)


@dataclass(frozen=True)
class View(Shown):
    """The same, with whose it is: what access is decided on."""

    owner: User

    @property
    def subject(self) -> Subject:
        """For `can_access`."""
        return subject_of(self.owner, created_at=self.submission.created_at)

    @property
    def download_name(self) -> str:
        """`2026-11-20-Bourree.mp4`: the day it was played and what it is."""
        day = self.submission.captured_at.date().isoformat()
        return f"{day}-{self.context_title or 'take'}.mp4"


def select_views() -> Select[*tuple[Any, ...]]:
    """Every submission that was not deleted, as `View`s."""
    return _select().where(col(VideoSubmission.deleted_at).is_(None))


def _select() -> Select[*tuple[Any, ...]]:
    return (
        select(VideoSubmission, MediaAsset, CONTEXT_TITLE, User)
        .join(MediaAsset, col(MediaAsset.id) == VideoSubmission.asset_id)
        .join(User, col(User.id) == VideoSubmission.user_id)
        .outerjoin(Exercise, col(Exercise.id) == VideoSubmission.exercise_id)
        .outerjoin(_ExercisePiece, col(_ExercisePiece.id) == Exercise.piece_id)
        .outerjoin(Piece, col(Piece.id) == VideoSubmission.piece_id)
        .outerjoin(PracticeSession, col(PracticeSession.id) == VideoSubmission.session_id)
        .outerjoin(_SessionRoutine, col(_SessionRoutine.id) == PracticeSession.routine_id)
    )


def load_view(session: Session, actor: Actor, submission_id: UUID, action: Action) -> View:
    """One submission the actor may act on.

    Raises:
        ApiError: `not_found`; `forbidden`; `submission_deleted` for those who may know of it.
    """
    view = find_view(session, submission_id)
    if view is None:
        raise ApiError("not_found", "There is no such submission.")
    require(actor, view.subject, action)
    if view.submission.deleted_at is not None:
        raise ApiError("submission_deleted")
    return view


def loader(actor: Actor, submission_id: UUID, action: Action) -> Callable[[Session], View]:
    """`load_view` for those who load twice: once to look, once under the write lock."""
    return partial(load_view, actor=actor, submission_id=submission_id, action=action)


def load_title(session: Session, submission_id: UUID) -> str | None:
    """What a take is of, in words."""
    query = (
        _select().with_only_columns(CONTEXT_TITLE).where(col(VideoSubmission.id) == submission_id)
    )
    title: str | None = session.core.execute(query).scalar()
    return title


def find_view(session: Session, submission_id: UUID) -> View | None:
    """One submission, deleted or not, whoever asks: for callers that have checked already."""
    row = session.execute(_select().where(col(VideoSubmission.id) == submission_id)).first()
    return View(*row) if row else None


def to_wire(view: Shown, extras: Extras, storage: Storage, *, expires_in: int) -> dict[str, Any]:
    """The fields of `SubmissionOut`; thumbnails get a URL of their own, so a list is scannable."""
    submission, asset = view.submission, view.asset
    key = asset.thumbnail_s3_key
    return {
        "id": submission.id,
        "user_id": submission.user_id,
        "exercise_id": submission.exercise_id,
        "piece_id": submission.piece_id,
        "session_id": submission.session_id,
        "s3_key": asset.s3_key,
        "thumbnail_s3_key": key,
        "duration_seconds": submission.duration_seconds,
        "notes": submission.notes,
        "reviewed_at": submission.reviewed_at,
        "reviewed_by_id": submission.reviewed_by_id,
        "created_at": submission.created_at,
        "media_state": asset.state,
        "captured_at": submission.captured_at,
        "uploaded_at": asset.confirmed_at,
        "page_number": submission.page_number,
        "measure_number": submission.measure_number,
        "measure_end": submission.measure_end,
        "is_mastered": submission.is_mastered,
        "mastered_at": submission.mastered_at,
        "context_title": view.context_title,
        "thumbnail_url": storage.presign_get(key, expires_in=expires_in) if key else None,
        "size_bytes": asset.size_bytes,
        "width": asset.width,
        "height": asset.height,
        "source": asset.source,
        "derivatives": list(extras.derivatives),
        "unread_count": extras.unread,
        "marker_count": extras.markers,
        "question_count": extras.questions,
    }


@dataclass(frozen=True)
class Page:
    """One page of views, and where the next one begins."""

    views: list[View]
    total: int
    next_cursor: str | None


@dataclass(frozen=True)
class Ordering:
    """How a list is sorted, and the types its cursor holds. The last key is unique."""

    keys: tuple[SortKey, ...]
    kinds: tuple[type, ...]


NEWEST_CAPTURE_FIRST = Ordering(
    (
        SortKey(col(VideoSubmission.captured_at), descending=True),
        SortKey(col(VideoSubmission.id), descending=True),
    ),
    (datetime, UUID),
)


def load_page(
    session: Session,
    conditions: Sequence[ColumnElement[bool]],
    ordering: Ordering,
    *,
    limit: int,
    cursor: str | None,
) -> Page:
    """One page of the submissions that meet all conditions."""
    chosen = select_views().where(*conditions)
    total = session.execute(select(func.count()).select_from(chosen.subquery())).scalar_one()
    keys = [key.expression.label(f"key_{at}") for at, key in enumerate(ordering.keys)]
    query = chosen.add_columns(*keys).order_by(*(key.ordered for key in ordering.keys))
    if cursor is not None:
        query = query.where(after(ordering.keys, read_cursor(cursor, ordering.kinds)))
    rows = session.execute(query.limit(limit + 1)).all()
    more = len(rows) > limit
    shown = rows[:limit]
    next_cursor = write_cursor(shown[-1][4:]) if more else None
    return Page(views_of(shown), total, next_cursor)


def views_of(rows: Iterable[Row[*tuple[Any, ...]]]) -> list[View]:
    """Rows of `select_views()`, with or without further columns."""
    return [View(row[0], row[1], row[2], row[3]) for row in rows]
