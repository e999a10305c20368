"""`/students` and `/students/{id}`: the roster, and one student's work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select
from sqlmodel import col
from starlette.responses import RedirectResponse

from cadenza_server.context import Context, ContextDep, UserId
from cadenza_server.database import Session
from cadenza_server.listing import look_for_arrivals
from cadenza_server.page.rendering import render
from cadenza_server.page.routing import SignedInPage
from cadenza_server.page.takes import ARRIVED, ASKS, NAME, load_progress, load_takes, takes_query
from cadenza_server.page.words import ago, initials
from cadenza_server.reference import current_routine, exercises_of, load_student
from cadenza_server.submissions import select_views
from cadenza_server.tables import MediaAsset, Routine, User, VideoSubmission
from cadenza_server.threads import shown_to_teacher, unread_in

router = APIRouter(route_class=SignedInPage, include_in_schema=False)
ROWS = 50


@dataclass(frozen=True)
class Student:
    """One card of the roster."""

    id: int
    name: str
    initials: str
    waiting: int
    questions: int
    unread: int
    takes: int
    latest_at: datetime | None
    latest: str


@router.get("/students")
def roster(ctx: ContextDep, request: Request) -> Response:
    """Everybody one teaches; who waits comes first."""
    if ctx.actor.user_type != "teacher":
        return RedirectResponse("/", 303)
    with ctx.db.reading() as session:
        students = _roster(ctx, session)
    return render(ctx, request, "students.html", students=students)


@router.get("/students/{student_id}")
def student_page(ctx: ContextDep, request: Request, student_id: UserId) -> Response:
    """One student: Pending Videos (F000-63), the routine, the pieces, what was reviewed."""
    with ctx.db.reading() as session:
        student = load_student(session, ctx.actor, student_id, "review")
    mine = [col(VideoSubmission.user_id) == student_id, *shown_to_teacher(ctx.actor.id)]
    look_for_arrivals(ctx, mine)
    open_ones = [*mine, col(VideoSubmission.reviewed_at).is_(None)]
    arrived = col(MediaAsset.state).in_(("uploaded", "ready"))
    newest = col(VideoSubmission.captured_at).desc()
    with ctx.db.reading() as session:
        waiting = takes_query([*open_ones, arrived], (ASKS.desc(), ARRIVED))
        pending = load_takes(ctx, session, waiting, limit=ROWS)
        elsewhere = takes_query([*open_ones, ~arrived], (newest,))
        others = load_takes(ctx, session, elsewhere, limit=ROWS)
        heard = takes_query([*mine, col(VideoSubmission.reviewed_at).is_not(None)], (newest,))
        reviewed = load_takes(ctx, session, heard, limit=ROWS)
        routine = current_routine(session, student_id)
        exercises = exercises_of(session, routine.id) if routine else []
        routines = _own_routines(session, ctx.actor.id)
        progress = load_progress(ctx, session, student_id)
    name = student.full_name or student.email
    return render(
        ctx,
        request,
        "student.html",
        student={"id": student_id, "name": name, "email": student.email},
        student_initials=initials(name),
        pending=pending,
        others=others,
        reviewed=reviewed,
        routine=routine,
        exercises=exercises,
        routines=routines,
        progress=progress,
    )


def _roster(ctx: Context, session: Session) -> list[Student]:
    people = session.core.execute(
        select(col(User.id), NAME.label("name"))
        .where(col(User.teacher_id) == ctx.actor.id, col(User.deleted_at).is_(None))
        .order_by(NAME)
    ).all()
    counts = {row.user_id: row for row in session.core.execute(_counts(ctx.actor.id))}
    unread: dict[int, int] = {}
    for _, owner_id, count in unread_in(session, ctx.actor.id):
        unread[owner_id] = unread.get(owner_id, 0) + count
    now = ctx.now()
    students = []
    for person in people:
        row = counts.get(person.id)
        students.append(
            Student(
                id=person.id,
                name=person.name,
                initials=initials(person.name),
                waiting=row.waiting if row else 0,
                questions=row.questions if row else 0,
                unread=unread.get(person.id, 0),
                takes=row.takes if row else 0,
                latest_at=row.latest if row else None,
                latest=ago(row.latest, now) if row else "",
            )
        )
    return sorted(students, key=lambda one: (-one.questions, -one.waiting))


def _counts(teacher_id: int) -> Any:
    is_waiting = col(VideoSubmission.reviewed_at).is_(None) & col(MediaAsset.state).in_(
        ("uploaded", "ready")
    )
    return (
        select_views()
        .with_only_columns(
            col(VideoSubmission.user_id),
            func.count().label("takes"),
            func.count().filter(is_waiting).label("waiting"),
            func.count().filter(is_waiting & ASKS).label("questions"),
            func.max(col(VideoSubmission.captured_at)).label("latest"),
        )
        .where(*shown_to_teacher(teacher_id))
        .group_by(col(VideoSubmission.user_id))
    )


def _own_routines(session: Session, owner_id: int) -> list[Any]:
    query = (
        select(col(Routine.id), col(Routine.title))
        .where(col(Routine.owner_id) == owner_id)
        .order_by(col(Routine.title))
    )
    return list(session.core.execute(query))
