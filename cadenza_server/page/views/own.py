"""`/settings` and `/help`."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from cadenza_server.context import ContextDep
from cadenza_server.page.rendering import render
from cadenza_server.page.routing import SignedInPage
from cadenza_server.tables import User

router = APIRouter(route_class=SignedInPage, include_in_schema=False)


@router.get("/settings")
def settings(ctx: ContextDep, request: Request) -> Response:
    """Theme, what to be told of, keys, the teacher; all but the teacher stays on this device."""
    with ctx.db.reading() as session:
        me = session.get(User, ctx.actor.id)
        teacher = session.get(User, me.teacher_id) if me and me.teacher_id else None
    shown = {"name": teacher.full_name or teacher.email, "email": teacher.email} if teacher else {}
    return render(ctx, request, "settings.html", teacher=shown)


@router.get("/help")
def help_page(ctx: ContextDep, request: Request) -> Response:
    """What the words mean, and which keys there are."""
    return render(ctx, request, "help.html")
