"""`/record`: a take made in the browser."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from sqlmodel import col, select

from cadenza_server.access import Actor
from cadenza_server.context import ContextDep
from cadenza_server.database import Session
from cadenza_server.page.rendering import render
from cadenza_server.page.routing import SignedInPage
from cadenza_server.reference import current_routine, exercises_of
from cadenza_server.tables import Piece

router = APIRouter(route_class=SignedInPage, include_in_schema=False)
Choices = list[tuple[str, list[tuple[str, str]]]]


@router.get("/record")
def record(ctx: ContextDep, request: Request) -> Response:
    """Camera, countdown, preview; what is played is one of one's own pieces or exercises."""
    with ctx.db.reading() as session:
        choices = _choices(session, ctx.actor)
    return render(ctx, request, "record.html", choices=choices)


def _choices(session: Session, actor: Actor) -> Choices:
    """What a take can be of: `field:id` and its name, in groups; empty groups are left out."""
    routine = current_routine(session, actor.id)
    exercises = exercises_of(session, routine.id) if routine else []
    pieces = session.exec(
        select(Piece).where(Piece.owner_id == actor.id).order_by(col(Piece.updated_at).desc())
    )
    groups: Choices = [
        (
            routine.title if routine else "",
            [(f"exercise_id:{one.id}", one.title or "Exercise") for one in exercises],
        ),
        ("Pieces", [(f"piece_id:{piece.id}", piece.title) for piece in pieces]),
    ]
    return [group for group in groups if group[1]]
