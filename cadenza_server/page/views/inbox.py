"""`/inbox`: what waits for the teacher, questions first, then who has waited longest."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, bindparam, select
from sqlmodel import col
from starlette.responses import RedirectResponse

from cadenza_server.context import ContextDep
from cadenza_server.listing import look_for_arrivals
from cadenza_server.page.queries import IS_WAITING, is_any_on_the_way, totals_query
from cadenza_server.page.rendering import render
from cadenza_server.page.routing import SignedInPage
from cadenza_server.page.takes import (
    ARRIVED,
    ASKS,
    NAME,
    TITLE,
    Take,
    grouped,
    load_takes,
    takes_query,
)
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
    with ctx.db.reading() as session:
        is_any_announced = is_any_on_the_way(session, ctx.actor.id)
    if is_any_announced:
        look_for_arrivals(ctx, shown_to_teacher(ctx.actor.id))
    asked = {"teacher_id": ctx.actor.id} | (
        {"student": int(query.student)} if query.student else {}
    )
    of_one, asking = bool(query.student), query.questions
    with ctx.db.reading() as session:
        students = list(session.core.execute(_STUDENTS, {"teacher_id": ctx.actor.id}))
        total, questions, oldest = session.core.execute(_totals(of_one, asking), asked).one()
        waiting = _waiting(query.sort, of_one, asking)
        takes = load_takes(ctx, session, waiting, limit=ROWS, offset=query.start, **asked)
        on_the_way = []
        if is_any_announced and not query.start:
            announced = _announced(of_one, asking)
            on_the_way = load_takes(ctx, session, announced, limit=_ON_THE_WAY, **asked)
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


def _chosen(of_one: bool, asking: bool) -> list[ColumnElement[bool]]:
    """SQL: what the teacher may see, as far as it was asked for."""
    conditions = list(shown_to_teacher(cast("int", bindparam("teacher_id"))))
    if of_one:
        conditions.append(col(VideoSubmission.user_id) == bindparam("student"))
    if asking:
        conditions.append(ASKS)
    return conditions


@cache
def _waiting(sort: str, of_one: bool, asking: bool) -> Any:
    return takes_query([*_chosen(of_one, asking), *IS_WAITING], _ORDERS[sort])


@cache
def _totals(of_one: bool, asking: bool) -> Any:
    return totals_query([*_chosen(of_one, asking), *IS_WAITING])


@cache
def _announced(of_one: bool, asking: bool) -> Any:
    """Announced and not here yet: a device without network, or an upload under way."""
    announced = [*_chosen(of_one, asking), col(MediaAsset.state) == "awaiting_upload"]
    return takes_query(announced, (col(VideoSubmission.created_at).desc(),))


_STUDENTS = (
    select(col(User.id), NAME.label("name"))
    .where(col(User.teacher_id) == bindparam("teacher_id"), col(User.deleted_at).is_(None))
    .order_by(NAME)
)


def _groups(takes: list[Take], sort: str) -> list[tuple[str, list[Take]]]:
    if sort != "waiting":
        return grouped(takes, "student" if sort == "student" else "title")
    asking = [take for take in takes if take.asks]
    others = [take for take in takes if not take.asks]
    named = [("Questions first", asking), ("Waiting longest", others)]
    return [(name, group) for name, group in named if group]
