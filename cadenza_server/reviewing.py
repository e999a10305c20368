"""Reviewing: the teacher marks a take as seen, once; and what still waits for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import col

from cadenza_server.confirming import confirm_lazily
from cadenza_server.context import Context
from cadenza_server.database import Session
from cadenza_server.events import Fact, append
from cadenza_server.pagination import SortKey
from cadenza_server.schemas import QueueItem
from cadenza_server.submissions import (
    CONTEXT_TITLE,
    Ordering,
    Page,
    View,
    load_page,
    load_view,
    submission_out,
)
from cadenza_server.tables import MediaAsset, User, VideoSubmission

ANSWER_WITHIN = timedelta(hours=48)
QueueSort = Literal["waiting", "student", "piece"]

_ARRIVED = SortKey(col(MediaAsset.confirmed_at))
_ID = SortKey(col(VideoSubmission.id))
_NAME = func.coalesce(col(User.full_name), col(User.email))
ORDERINGS: dict[QueueSort, Ordering] = {
    "waiting": Ordering((_ARRIVED, _ID), (datetime, UUID)),
    "student": Ordering((SortKey(_NAME), _ARRIVED, _ID), (str, datetime, UUID)),
    "piece": Ordering(
        (SortKey(func.coalesce(CONTEXT_TITLE, "")), _ARRIVED, _ID), (str, datetime, UUID)
    ),
}


def mark_reviewed(ctx: Context, submission_id: UUID) -> View:
    """The first review wins; a repeat answers with the first one (B-22)."""
    with ctx.db.reading() as session:
        view = load_view(session, ctx.actor, submission_id, "review")
    # The review settles the bytes of a v1 take: look now at what they are (B-24).
    confirm_lazily(ctx, [view.held])
    with ctx.db.writing() as session:
        view = load_view(session, ctx.actor, submission_id, "review")
        if view.submission.reviewed_at is None:
            view.submission.reviewed_at = now = ctx.now()
            view.submission.reviewed_by_id = ctx.actor.id
            _save(session, view)
            append(session, now, Fact("reviewed", ctx.actor.id, submission_id))
    return view


def reopen(ctx: Context, submission_id: UUID) -> View:
    """Take the review back; audited."""
    with ctx.db.writing() as session:
        view = load_view(session, ctx.actor, submission_id, "review")
        if view.submission.reviewed_at is not None:
            view.submission.reviewed_at = view.submission.reviewed_by_id = None
            _save(session, view)
            append(session, ctx.now(), Fact("reopened", ctx.actor.id, submission_id))
    return view


def _save(session: Session, view: View) -> None:
    session.add(view.submission)
    session.flush()


def shown_to_teacher(teacher_id: int) -> tuple[ColumnElement[bool], ...]:
    """SQL: submissions of a teacher's students, as far as their history is shared (B-30)."""
    return (
        col(User.teacher_id) == teacher_id,
        or_(
            col(User.share_history),
            col(User.teacher_since).is_(None),
            col(VideoSubmission.created_at) >= col(User.teacher_since),
        ),
    )


def load_queue(
    session: Session, teacher_id: int, sort: QueueSort, *, limit: int, cursor: str | None
) -> Page:
    """What has arrived and waits for this teacher."""
    conditions = (
        *shown_to_teacher(teacher_id),
        col(VideoSubmission.reviewed_at).is_(None),
        col(MediaAsset.state).in_(("uploaded", "ready")),
    )
    return load_page(session, conditions, ORDERINGS[sort], limit=limit, cursor=cursor)


def queue_item(ctx: Context, view: View, now: datetime) -> QueueItem:
    """One line of the queue on the wire."""
    arrived = view.asset.confirmed_at
    assert arrived is not None
    expires_in = ctx.settings.upload_url_expires_seconds
    return QueueItem(
        submission=submission_out(view, ctx.storage, expires_in=expires_in),
        student_id=view.submission.user_id,
        student_name=view.owner.full_name,
        waiting_seconds=max(0, int((now - arrived).total_seconds())),
        has_question=False,
        due_at=arrived + ANSWER_WITHIN,
    )
