"""Routines, exercises and practice sessions."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import func
from sqlmodel import col, select

from cadenza_server.context import ContextDep, SignedInRoute, UserId
from cadenza_server.database import Session
from cadenza_server.documentation import refusals
from cadenza_server.reference import (
    current_routine,
    exercises_of,
    load_piece,
    load_practice_session,
    load_routine,
    load_student,
)
from cadenza_server.schemas import (
    AssignRoutine,
    CompleteSession,
    ExerciseOut,
    NewExercise,
    NewRoutine,
    PracticeSessionOut,
    RoutineOut,
    StartSession,
)
from cadenza_server.tables import Exercise, PracticeSession, Routine, RoutineAssignment

router = APIRouter(tags=["practice"], route_class=SignedInRoute)


@router.get("/routines", responses=refusals())
def list_routines(ctx: ContextDep) -> list[RoutineOut]:
    """One's own routines, oldest first."""
    query = (
        select(Routine)
        .where(Routine.owner_id == ctx.actor.id)
        .order_by(col(Routine.created_at), col(Routine.id))
    )
    with ctx.db.reading() as session:
        return [_routine_out(session, routine) for routine in session.exec(query)]


@router.post("/routines", status_code=201, responses=refusals("invalid"))
def create_routine(ctx: ContextDep, body: NewRoutine) -> RoutineOut:
    """Add a routine."""
    with ctx.db.writing() as session:
        routine = Routine(owner_id=ctx.actor.id, title=body.title, created_at=ctx.now())
        session.add(routine)
        session.flush()
        return _routine_out(session, routine)


@router.post(
    "/routines/{routine_id}/exercises",
    status_code=201,
    responses=refusals("invalid", "invalid_id", "not_found", "forbidden"),
)
def add_exercise(ctx: ContextDep, routine_id: UUID, body: NewExercise) -> ExerciseOut:
    """Add an exercise to one's own routine; at the end unless a place is given."""
    with ctx.db.writing() as session:
        load_routine(session, ctx.actor, routine_id, "own")
        if body.piece_id is not None:
            load_piece(session, ctx.actor, body.piece_id, "see")
        place = body.order_index
        if place is None:
            last = session.exec(
                select(func.max(col(Exercise.order_index))).where(Exercise.routine_id == routine_id)
            ).one()
            place = 0 if last is None else last + 1
        fields = body.model_dump(exclude={"order_index"})
        exercise = Exercise(routine_id=routine_id, order_index=place, **fields)
        session.add(exercise)
        session.flush()
        return ExerciseOut.model_validate(exercise, from_attributes=True)


@router.post(
    "/students/{student_id}/assign-routine",
    responses=refusals("invalid", "invalid_id", "not_found", "forbidden"),
)
def assign_routine(ctx: ContextDep, student_id: UserId, body: AssignRoutine) -> RoutineOut:
    """Give a student one of one's own routines; it replaces the one before."""
    with ctx.db.writing() as session:
        load_student(session, ctx.actor, student_id, "review")
        routine = load_routine(session, ctx.actor, body.routine_id, "own")
        assignment = RoutineAssignment(
            student_id=student_id,
            routine_id=routine.id,
            assigned_by_id=ctx.actor.id,
            assigned_at=ctx.now(),
        )
        session.merge(assignment)
        return _routine_out(session, routine)


@router.get("/my-current-routine", responses=refusals())
def my_current_routine(ctx: ContextDep) -> RoutineOut | None:
    """The routine that is assigned to one, or null."""
    with ctx.db.reading() as session:
        routine = current_routine(session, ctx.actor.id)
        return _routine_out(session, routine) if routine else None


@router.post(
    "/sessions",
    status_code=201,
    responses=refusals("invalid", "invalid_id", "not_found", "forbidden"),
)
def start_session(ctx: ContextDep, body: StartSession | None = None) -> PracticeSessionOut:
    """Begin to practise."""
    routine_id = body.routine_id if body else None
    with ctx.db.writing() as session:
        if routine_id is not None:
            load_routine(session, ctx.actor, routine_id, "see")
        practice = PracticeSession(
            user_id=ctx.actor.id, routine_id=routine_id, started_at=ctx.now()
        )
        session.add(practice)
        session.flush()
        return PracticeSessionOut.model_validate(practice, from_attributes=True)


@router.put(
    "/sessions/{session_id}/complete",
    responses=refusals("invalid", "invalid_id", "not_found", "forbidden"),
)
def complete_session(
    ctx: ContextDep, session_id: UUID, body: CompleteSession | None = None
) -> PracticeSessionOut:
    """Finish practising; the first time counts. Without a duration, the server's clock tells."""
    with ctx.db.writing() as session:
        practice = load_practice_session(session, ctx.actor, session_id)
        if practice.completed_at is None:
            practice.completed_at = now = ctx.now()
            elapsed = int((now - practice.started_at).total_seconds())
            told = body.duration_seconds if body else None
            practice.duration_seconds = told if told is not None else elapsed
            session.add(practice)
            session.flush()
        return PracticeSessionOut.model_validate(practice, from_attributes=True)


def _routine_out(session: Session, routine: Routine) -> RoutineOut:
    exercises = [
        ExerciseOut.model_validate(exercise, from_attributes=True)
        for exercise in exercises_of(session, routine.id)
    ]
    return RoutineOut(**routine.model_dump(), exercises=exercises)
