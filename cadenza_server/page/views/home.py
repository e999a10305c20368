"""`/`: a student's own takes, and what became of them. A teacher is led to the inbox."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import ColumnElement
from sqlmodel import col
from starlette.responses import RedirectResponse

from cadenza_server.context import ContextDep
from cadenza_server.listing import look_for_arrivals
from cadenza_server.page.rendering import render
from cadenza_server.page.routing import SignedInPage
from cadenza_server.page.takes import TITLE, load_progress, load_takes, takes_query
from cadenza_server.reference import current_routine, exercises_of
from cadenza_server.tables import User, VideoSubmission

router = APIRouter(route_class=SignedInPage, include_in_schema=False)
ROWS = 50


@router.get("/")
def home(
    ctx: ContextDep,
    request: Request,
    piece: Annotated[str, Query(max_length=200)] = "",
    start: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> Response:
    """Own takes, newest first; the pieces they are of; the routine that was given."""
    if ctx.actor.user_type == "teacher":
        return RedirectResponse("/inbox", 303)
    mine: list[ColumnElement[bool]] = [col(VideoSubmission.user_id) == ctx.actor.id]
    look_for_arrivals(ctx, mine)
    with ctx.db.reading() as session:
        progress = load_progress(ctx, session, ctx.actor.id)
        if piece:
            mine.append(TITLE.in_([piece]))
        newest = (col(VideoSubmission.captured_at).desc(),)
        query = takes_query(mine, newest)
        takes = load_takes(ctx, session, query, limit=ROWS + 1, offset=start)
        routine = current_routine(session, ctx.actor.id)
        exercises = exercises_of(session, routine.id) if routine else []
        me = session.get(User, ctx.actor.id)
        teacher = session.get(User, me.teacher_id) if me and me.teacher_id else None
    return render(
        ctx,
        request,
        "home.html",
        takes=takes[:ROWS],
        has_more=len(takes) > ROWS,
        start=start,
        rows=ROWS,
        piece=piece,
        progress=progress,
        routine=routine,
        exercises=exercises,
        teacher=(teacher.full_name or teacher.email) if teacher else None,
    )
