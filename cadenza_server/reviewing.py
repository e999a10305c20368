"""Reviewing: the teacher marks a take as seen, once; and what still waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import case, func
from sqlmodel import col

from cadenza_server.confirming import confirm_lazily
from cadenza_server.context import Context
from cadenza_server.database import Session
from cadenza_server.events import Fact, append
from cadenza_server.outbox import announce, in_thread
from cadenza_server.pagination import SortKey
from cadenza_server.presenting import present
from cadenza_server.schemas import QueueItem
from cadenza_server.submissions import (
    CONTEXT_TITLE,
    Ordering,
    Page,
    View,
    load_page,
    load_view,
)
from cadenza_server.tables import MediaAsset, User, VideoSubmission
from cadenza_server.threads import has_question, questions_among, shown_to_teacher

ANSWER_WITHIN = timedelta(hours=48)
QueueSort = Literal["waiting", "student", "piece"]

_ARRIVED = SortKey(col(MediaAsset.confirmed_at))
_ID = SortKey(col(VideoSubmission.id))
_NAME = func.coalesce(col(User.full_name), col(User.email))
# Students who asked something come first; among equals, who has waited longest.
_ASKING = SortKey(case((has_question(), 0), else_=1))
ORDERINGS: dict[QueueSort, Ordering] = {
    "waiting": Ordering((_ASKING, _ARRIVED, _ID), (int, datetime, UUID)),
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
            about = view.context_title
            announce(
                session,
                now,
                in_thread(session, "submission.reviewed", ctx.actor.id, submission_id, about=about),
            )
    return view


def reopen(ctx: Context, submission_id: UUID) -> View:
    """Take the review back; audited."""
    with ctx.db.writing() as session:
        view = load_view(session, ctx.actor, submission_id, "review")
        if view.submission.reviewed_at is not None:
            view.submission.reviewed_at = view.submission.reviewed_by_id = None
            _save(session, view)
            now = ctx.now()
            append(session, now, Fact("reopened", ctx.actor.id, submission_id))
            event = in_thread(session, "submission.reopened", ctx.actor.id, submission_id)
            announce(session, now, event)
    return view


def _save(session: Session, view: View) -> None:
    session.add(view.submission)
    session.flush()


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


def queue_items(ctx: Context, views: Sequence[View], now: datetime) -> list[QueueItem]:
    """A page of the queue on the wire."""
    with ctx.db.reading() as session:
        asking = questions_among(session, [view.submission.id for view in views])
    return [
        QueueItem(
            submission=submission,
            student_id=view.submission.user_id,
            student_name=view.owner.full_name,
            waiting_seconds=max(0, int((now - arrived).total_seconds())),
            has_question=submission.id in asking,
            due_at=arrived + ANSWER_WITHIN,
        )
        for view, submission in zip(views, present(ctx, views), strict=True)
        if (arrived := view.asset.confirmed_at)
    ]
