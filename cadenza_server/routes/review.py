"""The teacher's side: a student's takes, the review queue, reviewed or not."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlmodel import col

from cadenza_server.context import ContextDep, SignedInRoute, UserId, base_url
from cadenza_server.documentation import PAGE_HEADERS, refusals
from cadenza_server.listing import (
    PageQuery,
    StudentFilters,
    list_submissions,
    look_for_arrivals,
)
from cadenza_server.pagination import add_page_headers
from cadenza_server.presenting import present_one
from cadenza_server.reference import load_student
from cadenza_server.reviewing import (
    QueueSort,
    load_queue,
    mark_reviewed,
    queue_items,
    reopen,
)
from cadenza_server.schemas import QueueItem, SubmissionOut
from cadenza_server.tables import VideoSubmission
from cadenza_server.threads import shown_to_teacher

router = APIRouter(tags=["review"], route_class=SignedInRoute)
_ONE = ("invalid_id", "not_found", "forbidden", "submission_deleted")


class QueueQuery(PageQuery):
    """How the queue is sorted."""

    sort: QueueSort = "waiting"


@router.get(
    "/students/{student_id}/video-submissions",
    responses={**PAGE_HEADERS, **refusals("invalid", "invalid_id", "forbidden", "not_found")},
)
def list_of_student(
    ctx: ContextDep,
    student_id: UserId,
    request: Request,
    response: Response,
    filters: Annotated[StudentFilters, Query()],
) -> list[SubmissionOut]:
    """A student's submissions, for the student's teacher (F000-55)."""
    with ctx.db.reading() as session:
        load_student(session, ctx.actor, student_id, "review")
    conditions = [
        col(VideoSubmission.user_id) == student_id,
        *shown_to_teacher(ctx.actor.id),
    ]
    return list_submissions(ctx, request, response, conditions, filters)


@router.get("/review-queue", responses={**PAGE_HEADERS, **refusals("invalid")})
def review_queue(
    ctx: ContextDep, request: Request, response: Response, query: Annotated[QueueQuery, Query()]
) -> list[QueueItem]:
    """What arrived and waits for one's review: questions first, then who waits longest."""
    look_for_arrivals(ctx, shown_to_teacher(ctx.actor.id))
    with ctx.db.reading() as session:
        page = load_queue(session, ctx.actor.id, query.sort, limit=query.limit, cursor=query.cursor)
    add_page_headers(
        request, response, base=base_url(request), total=page.total, next_cursor=page.next_cursor
    )
    return queue_items(ctx, page.views, ctx.now())


@router.patch("/video-submissions/{submission_id}/reviewed", responses=refusals(*_ONE))
def review(ctx: ContextDep, submission_id: UUID) -> SubmissionOut:
    """Mark as reviewed, by the student's teacher; the first time counts (F000-56)."""
    view = mark_reviewed(ctx, submission_id)
    return present_one(ctx, view)


@router.delete("/video-submissions/{submission_id}/reviewed", responses=refusals(*_ONE))
def un_review(ctx: ContextDep, submission_id: UUID) -> SubmissionOut:
    """Open it again (B-22)."""
    view = reopen(ctx, submission_id)
    return present_one(ctx, view)
