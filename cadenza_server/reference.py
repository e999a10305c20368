"""Thin reference data: pieces, routines, exercises and practice sessions, and who sees them.

They exist so that a submission's context ids are real and somebody's (B-21).
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, exists, union
from sqlmodel import col, select

from cadenza_server.access import Action, Actor, Subject, can_access, require, subject_of
from cadenza_server.database import Session
from cadenza_server.errors import ApiError
from cadenza_server.schemas import NewSubmission
from cadenza_server.tables import (
    Exercise,
    Piece,
    PracticeSession,
    Routine,
    RoutineAssignment,
    User,
)


@dataclass(frozen=True)
class KnownPiece:
    """What a new submission needs of its piece."""

    owner_id: int
    title: str


def load_piece(session: Session, actor: Actor, piece_id: UUID, action: Action) -> Piece:
    """A piece the actor may act on, or 404/403."""
    piece = session.get(Piece, piece_id)
    if piece is None:
        raise ApiError("not_found", "There is no such piece.")
    require(actor, _piece_subject(session, actor, piece_id, piece.owner_id), action)
    return piece


def load_routine(session: Session, actor: Actor, routine_id: UUID, action: Action) -> Routine:
    """A routine the actor may act on, or 404/403."""
    routine = session.get(Routine, routine_id)
    if routine is None:
        raise ApiError("not_found", "There is no such routine.")
    require(actor, _routine_subject(session, actor, routine), action)
    return routine


def load_practice_session(session: Session, actor: Actor, session_id: UUID) -> PracticeSession:
    """One of the actor's own practice sessions, or 404/403."""
    practice = session.get(PracticeSession, session_id)
    if practice is None:
        raise ApiError("not_found", "There is no such practice session.")
    require(actor, Subject(practice.user_id), "own")
    return practice


def load_student(session: Session, actor: Actor, student_id: int, action: Action) -> User:
    """A student the actor teaches (or may see), or 404/403."""
    student = session.get(User, student_id)
    if student is None or student.deleted_at is not None:
        raise ApiError("not_found", "There is no such student.")
    require(actor, subject_of(student), action)
    return student


def current_routine(session: Session, student_id: int) -> Routine | None:
    """The routine that is assigned to a student."""
    assignment = session.get(RoutineAssignment, student_id)
    return session.get(Routine, assignment.routine_id) if assignment else None


def exercises_of(session: Session, routine_id: UUID) -> list[Exercise]:
    """A routine's exercises, in order."""
    query = (
        select(Exercise)
        .where(Exercise.routine_id == routine_id)
        .order_by(col(Exercise.order_index), col(Exercise.id))
    )
    return list(session.exec(query))


def is_in_assigned_routine(student_id: int) -> ColumnElement[bool]:
    """SQL: the piece is practised in the routine that is assigned to this student."""
    return exists().where(
        col(Exercise.piece_id) == col(Piece.id),
        col(Exercise.routine_id) == col(RoutineAssignment.routine_id),
        col(RoutineAssignment.student_id) == student_id,
    )


def visible_pieces(actor: Actor) -> ColumnElement[bool]:
    """SQL: the actor's own pieces and those of the routine assigned to them."""
    # Two lookups in indexes; an OR of the two would read every piece there is.
    assigned = (
        select(col(Exercise.piece_id))
        .join(RoutineAssignment, col(RoutineAssignment.routine_id) == Exercise.routine_id)
        .where(col(RoutineAssignment.student_id) == actor.id, col(Exercise.piece_id).is_not(None))
    )
    own = select(col(Piece.id)).where(col(Piece.owner_id) == actor.id)
    return col(Piece.id).in_(union(own, assigned))


@dataclass(frozen=True)
class _Titles:
    exercise: str | None = None
    exercise_piece: str | None = None
    piece: str | None = None
    routine: str | None = None

    @property
    def shown(self) -> str | None:
        """The same choice as `submissions.CONTEXT_TITLE` makes in SQL."""
        return self.exercise or self.exercise_piece or self.piece or self.routine


def visible_context(
    session: Session, actor: Actor, body: NewSubmission, piece: KnownPiece | None
) -> str | None:
    """Check every context id of a new submission and return the title it will show.

    Args:
        session: within the change.
        actor: the student.
        body: the request.
        piece: that of the request, when there is such a piece.

    Raises:
        ApiError: `context_not_found` for an id that does not exist or is not the student's own,
            shared with or assigned to them; the answer does not tell these apart (B-21).
    """
    exercise_title = exercise_piece_title = piece_title = routine_title = None
    if body.exercise_id:
        exercise = session.get(Exercise, body.exercise_id)
        routine = session.get(Routine, exercise.routine_id) if exercise else None
        if exercise is None or routine is None:
            raise _unknown("exercise_id")
        _see(actor, _routine_subject(session, actor, routine), "exercise_id")
        exercise_title = exercise.title
        of_exercise = session.get(Piece, exercise.piece_id) if exercise.piece_id else None
        exercise_piece_title = of_exercise.title if of_exercise else None
    if body.piece_id:
        if piece is None:
            raise _unknown("piece_id")
        _see(actor, _piece_subject(session, actor, body.piece_id, piece.owner_id), "piece_id")
        piece_title = piece.title
    if body.session_id:
        practice = session.get(PracticeSession, body.session_id)
        if practice is None or practice.user_id != actor.id:
            raise _unknown("session_id")
        practised = session.get(Routine, practice.routine_id) if practice.routine_id else None
        routine_title = practised.title if practised else None
    return _Titles(exercise_title, exercise_piece_title, piece_title, routine_title).shown


def _see(actor: Actor, subject: Subject, field: str) -> None:
    """A context must be the student's own, or given to them; being a teacher is no reason."""
    own_or_given = Subject(subject.owner_id, shared_with=subject.shared_with)
    if not can_access(actor, own_or_given, "see"):
        raise _unknown(field)


def _unknown(field: str) -> ApiError:
    return ApiError("context_not_found", fields={field: "not found"})


def _piece_subject(session: Session, actor: Actor, piece_id: UUID, owner_id: int) -> Subject:
    if actor.id == owner_id:
        return Subject(actor.id)  # the owner needs no further look-up
    subject = _owned_by(session, owner_id)
    query = select(Piece.id).where(Piece.id == piece_id, is_in_assigned_routine(actor.id))
    return _shared(subject, actor, is_given=session.exec(query).first() is not None)


def _routine_subject(session: Session, actor: Actor, routine: Routine) -> Subject:
    if actor.id == routine.owner_id:
        return Subject(actor.id)
    subject = _owned_by(session, routine.owner_id)
    assignment = session.get(RoutineAssignment, actor.id)
    is_given = assignment is not None and assignment.routine_id == routine.id
    return _shared(subject, actor, is_given=is_given)


def _owned_by(session: Session, owner_id: int) -> Subject:
    owner = session.get(User, owner_id)
    assert owner is not None
    return subject_of(owner)


def _shared(subject: Subject, actor: Actor, *, is_given: bool) -> Subject:
    shared_with = frozenset({actor.id}) if is_given else frozenset()
    return Subject(subject.owner_id, subject.teacher_id, subject.studio_id, shared_with)
