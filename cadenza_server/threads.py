"""What a thread adds to the take it hangs on: unread messages, markers, questions (PR2, PR3).

Everything here is counted for a whole page of submissions at once: a list costs the same number
of statements however long it is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select, union
from sqlalchemy.orm import aliased
from sqlmodel import col

from cadenza_server.database import Session
from cadenza_server.schemas import Derivative as DerivativeOut
from cadenza_server.tables import (
    Derivative,
    MediaAsset,
    Message,
    MessageRead,
    User,
    VideoMarker,
    VideoSubmission,
)

_Earlier, _Answer = aliased(Message), aliased(Message)
_EarlierAsset, _AnswerAsset = aliased(MediaAsset), aliased(MediaAsset)


@dataclass(frozen=True)
class Extras:
    """What the wire shows beside a submission's own row."""

    unread: int = 0
    markers: int = 0
    questions: int = 0
    derivatives: tuple[DerivativeOut, ...] = ()


NOTHING = Extras()


def is_visible_to(user_id: int) -> ColumnElement[bool]:
    """SQL over `Message` and its `MediaAsset`: the sender's own, and what says something yet.

    A video on its way says nothing to the other side; text beside it does.
    """
    return or_(
        col(Message.sender_id) == user_id,
        col(Message.text).is_not(None),
        col(Message.asset_id).is_(None),
        col(MediaAsset.confirmed_at).is_not(None),
    )


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


def unread_in(
    session: Session, user_id: int, submission_ids: Collection[UUID] | None = None
) -> list[tuple[UUID, int, int]]:
    """(submission, its owner, how many messages to this user are unread), where there are any.

    To a student that is whatever others wrote in their threads; to a teacher what their present
    students wrote since they are their students. One's own messages never count.

    Args:
        session: to ask.
        user_id: whose unread messages.
        submission_ids: only of these; None for all.
    """
    # One's own threads and one's students': said twice, so that a database finds them by index.
    owners = union(
        select(col(User.id)).where(col(User.id) == user_id),
        select(col(User.id)).where(col(User.teacher_id) == user_id),
    )
    to_student = col(VideoSubmission.user_id) == user_id
    to_teacher = and_(
        *shown_to_teacher(user_id),
        col(Message.sender_id) == col(VideoSubmission.user_id),
        or_(
            col(User.teacher_since).is_(None),
            col(Message.created_at) >= col(User.teacher_since),
        ),
    )
    read = exists().where(
        col(MessageRead.message_id) == col(Message.id), col(MessageRead.user_id) == user_id
    )
    query = (
        select(col(VideoSubmission.id), col(VideoSubmission.user_id), func.count())
        .select_from(Message)
        .join(VideoSubmission, col(VideoSubmission.id) == Message.submission_id)
        .join(User, col(User.id) == VideoSubmission.user_id)
        .outerjoin(MediaAsset, col(MediaAsset.id) == Message.asset_id)
        .where(
            col(VideoSubmission.user_id).in_(owners),
            or_(to_student, to_teacher),
            col(Message.sender_id) != user_id,
            col(Message.deleted_at).is_(None),
            col(VideoSubmission.deleted_at).is_(None),
            is_visible_to(user_id),
            ~read,
        )
        .group_by(col(VideoSubmission.id), col(VideoSubmission.user_id))
    )
    if submission_ids is not None:
        query = query.where(col(VideoSubmission.id).in_(submission_ids))
    return [(row[0], row[1], row[2]) for row in session.execute(query)]


def load_extras(
    session: Session, user_id: int, submission_ids: Collection[UUID]
) -> dict[UUID, Extras]:
    """What to show beside these submissions, in three statements."""
    if not submission_ids:
        return {}
    unread = {row[0]: row[2] for row in unread_in(session, user_id, submission_ids)}
    markers = _count_markers(session, submission_ids)
    derivatives = load_derivatives(session, submission_ids)
    return {
        submission_id: Extras(
            unread.get(submission_id, 0),
            *markers.get(submission_id, (0, 0)),
            derivatives=derivatives.get(submission_id, ()),
        )
        for submission_id in submission_ids
    }


def load_derivatives(
    session: Session, asset_ids: Collection[UUID]
) -> dict[UUID, tuple[DerivativeOut, ...]]:
    """How far the server is with what it makes from these videos."""
    query = (
        select(col(Derivative.asset_id), col(Derivative.kind), col(Derivative.state))
        .where(col(Derivative.asset_id).in_(asset_ids))
        .order_by(col(Derivative.asset_id), col(Derivative.kind))
    )
    found: dict[UUID, tuple[DerivativeOut, ...]] = {}
    for asset_id, kind, state in session.execute(query):
        made = DerivativeOut(kind=kind, state=state)
        found[asset_id] = (*found.get(asset_id, ()), made)
    return found


def is_live_marker() -> ColumnElement[bool]:
    """SQL over `VideoMarker`: not deleted, and not on a message that was."""
    gone = (
        exists()
        .where(col(Message.id) == col(VideoMarker.message_id), col(Message.deleted_at).is_not(None))
        .correlate(VideoMarker)
    )
    return and_(col(VideoMarker.deleted_at).is_(None), ~gone)


def _is_open_question() -> ColumnElement[bool]:
    return and_(col(VideoMarker.marker_type) == "question", col(VideoMarker.status) == "open")


def _count_markers(
    session: Session, submission_ids: Collection[UUID]
) -> dict[UUID, tuple[int, int]]:
    questions = func.sum(case((_is_open_question(), 1), else_=0))
    query = (
        select(col(VideoMarker.submission_id), func.count(), questions)
        .where(col(VideoMarker.submission_id).in_(submission_ids), is_live_marker())
        .group_by(col(VideoMarker.submission_id))
    )
    return {row[0]: (row[1], row[2]) for row in session.execute(query)}


def has_question() -> ColumnElement[bool]:
    """SQL over `VideoSubmission`: its student waits for a word.

    That is an open question of theirs on the video, or a message of theirs that nobody answered.
    """
    asked = exists().where(
        col(VideoMarker.submission_id) == col(VideoSubmission.id),
        col(VideoMarker.author_id) == col(VideoSubmission.user_id),
        _is_open_question(),
        is_live_marker(),
    )
    answered = (
        exists()
        .select_from(_Answer)
        .where(
            # By the message, not the submission: SQL correlates with the query around this one,
            # and two levels up it would have made a second, unbound submission of it.
            col(_Answer.submission_id) == col(_Earlier.submission_id),
            col(_Answer.sender_id) != col(_Earlier.sender_id),
            col(_Answer.deleted_at).is_(None),
            col(_Answer.created_at) >= col(_Earlier.created_at),
            _says_something(_Answer, _AnswerAsset),
        )
    )
    wrote = (
        exists()
        .select_from(_Earlier)
        .where(
            col(_Earlier.submission_id) == col(VideoSubmission.id),
            col(_Earlier.sender_id) == col(VideoSubmission.user_id),
            col(_Earlier.deleted_at).is_(None),
            _says_something(_Earlier, _EarlierAsset),
            ~answered,
        )
    )
    return or_(asked, wrote)


def _says_something(message: type[Message], asset: type[MediaAsset]) -> ColumnElement[bool]:
    arrived = exists().where(
        col(asset.id) == col(message.asset_id), col(asset.confirmed_at).is_not(None)
    )
    return or_(col(message.text).is_not(None), arrived)


def questions_among(session: Session, submission_ids: Collection[UUID]) -> set[UUID]:
    """Those of the submissions whose student waits for a word."""
    if not submission_ids:
        return set()
    query = select(col(VideoSubmission.id)).where(
        col(VideoSubmission.id).in_(submission_ids), has_question()
    )
    return set(session.execute(query).scalars())
