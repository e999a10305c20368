"""`/inbox`: what waits for the teacher, questions first, then who has waited longest."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, func, select
from sqlmodel import col
from starlette.responses import RedirectResponse

from cadenza_server.context import Context, ContextDep
from cadenza_server.database import Session
from cadenza_server.listing import look_for_arrivals
from cadenza_server.page.rendering import render
from cadenza_server.page.routing import SignedInPage
from cadenza_server.page.takes import ARRIVED, ASKS, NAME, TITLE, Take, grouped, load_takes
from cadenza_server.submissions import select_views
from cadenza_server.tables import MediaAsset, User, VideoSubmission
from cadenza_server.threads import shown_to_teacher

router = APIRouter(route_class=SignedInPage, include_in_schema=False)
ROWS = 50
_ON_THE_WAY = 20
_ORDERS: dict[str, tuple[Any, ...]] = {
    "waiting": (ASKS.desc(), ARRIVED),
    "student": (NAME, ARRIVED),
    "piece": (TITLE, ARRIVED),
}


class InboxQuery(BaseModel):
    """Which part of the queue, and how sorted. An empty field is one left out."""

    sort: Literal["waiting", "student", "piece"] = "waiting"
    student: Annotated[str, Field(pattern=r"^\d{0,9}$")] = ""
    questions: bool = False
    start: Annotated[int, Field(ge=0, le=100_000)] = 0

    def url(self, **changes: Any) -> str:
        """The same page with other choices; from its beginning unless told."""
        chosen = {**self.model_dump(exclude={"start"}), **changes}
        chosen["questions"] = "1" if chosen["questions"] else ""
        query = {name: value for name, value in chosen.items() if value and value != "waiting"}
        return f"/inbox?{urlencode(query)}" if query else "/inbox"


@router.get("/inbox")
def inbox(ctx: ContextDep, request: Request, query: Annotated[InboxQuery, Query()]) -> Response:
    """The review queue."""
    if ctx.actor.user_type != "teacher":
        return RedirectResponse("/", 303)
    mine = shown_to_teacher(ctx.actor.id)
    look_for_arrivals(ctx, mine)
    with ctx.db.reading() as session:
        students = _students(session, ctx.actor.id)
        chosen = [*mine, *_chosen(query)]
        waiting = [
            *chosen,
            col(VideoSubmission.reviewed_at).is_(None),
            col(MediaAsset.state).in_(("uploaded", "ready")),
        ]
        total, questions, oldest = _totals(session, waiting)
        takes = load_takes(
            ctx, session, waiting, _ORDERS[query.sort], limit=ROWS, offset=query.start
        )
        on_the_way = _on_the_way(ctx, session, chosen) if not query.start else []
    return render(
        ctx,
        request,
        "inbox.html",
        query=query,
        groups=_groups(takes, query.sort),
        on_the_way=on_the_way,
        students=students,
        total=total,
        questions=questions,
        oldest=(ctx.now() - oldest).total_seconds() if oldest else 0,
        oldest_at=oldest,
        more=max(0, total - query.start - ROWS),
        rows=ROWS,
    )


def _chosen(query: InboxQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.student:
        conditions.append(col(VideoSubmission.user_id) == int(query.student))
    if query.questions:
        conditions.append(ASKS)
    return conditions


def _totals(session: Session, conditions: list[ColumnElement[bool]]) -> Any:
    asking = func.count().filter(ASKS)
    query = (
        select_views().with_only_columns(func.count(), asking, func.min(ARRIVED)).where(*conditions)
    )
    return session.core.execute(query).one()


def _students(session: Session, teacher_id: int) -> list[Any]:
    query = (
        select(col(User.id), NAME.label("name"))
        .where(col(User.teacher_id) == teacher_id, col(User.deleted_at).is_(None))
        .order_by(NAME)
    )
    return list(session.core.execute(query))


def _on_the_way(
    ctx: Context, session: Session, conditions: list[ColumnElement[bool]]
) -> list[Take]:
    """Announced and not here yet: a phone without network, or an upload under way."""
    announced = [*conditions, col(MediaAsset.state) == "awaiting_upload"]
    order = (col(VideoSubmission.created_at).desc(),)
    return load_takes(ctx, session, announced, order, limit=_ON_THE_WAY)


def _groups(takes: list[Take], sort: str) -> list[tuple[str, list[Take]]]:
    if sort != "waiting":
        return grouped(takes, "student" if sort == "student" else "title")
    asking = [take for take in takes if take.asks]
    others = [take for take in takes if not take.asks]
    named = [("Questions first", asking), ("Waiting longest", others)]
    return [(name, group) for name, group in named if group]
