"""Markers: words at a moment of a take, or of a message's video (PR3)."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement

from cadenza_server.context import Context, ContextDep, SignedInRoute, base_url
from cadenza_server.documentation import PAGE_HEADERS, refusals
from cadenza_server.marker_exports import as_csv, as_webvtt
from cadenza_server.markers import (
    Target,
    in_thread_of,
    load_all,
    load_page,
    message_target,
    on_message,
    on_take,
    take_target,
)
from cadenza_server.marking import create_marker, delete_marker, edit_marker
from cadenza_server.pagination import MAX_LIMIT, add_page_headers
from cadenza_server.schemas_thread import EditMarker, MarkerExport, MarkerOut, NewMarker

router = APIRouter(tags=["markers"], route_class=SignedInRoute)
_ONE = ("invalid_id", "not_found", "forbidden", "submission_deleted")
_NEW = ("invalid", "timestamp_out_of_range", "id_conflict", "quota_exceeded")
_REPEAT: dict[int | str, dict[str, Any]] = {
    200: {"model": MarkerOut, "description": "A repeat: this `client_id` has its marker"}
}
_TAKE = "/video-submissions/{submission_id}/markers"


class MarkersQuery(BaseModel):
    """Which page; 500 fit on a video, so one is the rule."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="items a page")] = MAX_LIMIT
    cursor: Annotated[
        str | None, Field(max_length=1000, description="from the `Link` header; opaque")
    ] = None


class TakeMarkersQuery(MarkersQuery):
    """Of the take alone, or of its thread's videos too."""

    include: Literal["messages"] | None = None


@router.get(_TAKE, responses={**PAGE_HEADERS, **refusals(*_ONE, "invalid")})
def list_on_take(
    ctx: ContextDep,
    submission_id: UUID,
    request: Request,
    response: Response,
    query: Annotated[TakeMarkersQuery, Query()],
) -> list[MarkerOut]:
    """The markers on the take, in its order; with `include=messages` those of the replies too."""
    with ctx.db.reading() as session:
        take_target(session, ctx.actor, submission_id, "see")
    thread = query.include == "messages"
    where = in_thread_of(submission_id, ctx.actor) if thread else on_take(submission_id)
    return _page(ctx, request, response, where, query)


@router.post(_TAKE, status_code=201, responses={**_REPEAT, **refusals(*_ONE, *_NEW)})
def mark_take(
    ctx: ContextDep, submission_id: UUID, body: NewMarker, response: Response
) -> MarkerOut:
    """Mark a moment or a range of the take (F001-U2). With a `client_id` repeats are safe.

    Students ask questions; teachers give feedback, praise and questions.
    """
    load = partial(take_target, actor=ctx.actor, submission_id=submission_id, action="take_part")
    marker, is_new = create_marker(ctx, load, body)
    response.status_code = 201 if is_new else 200
    return marker


@router.get(
    "/messages/{message_id}/markers",
    responses={**PAGE_HEADERS, **refusals(*_ONE, "invalid", "no_video")},
)
def list_on_message(
    ctx: ContextDep,
    message_id: UUID,
    request: Request,
    response: Response,
    query: Annotated[MarkersQuery, Query()],
) -> list[MarkerOut]:
    """The markers on a message's video, in its order."""
    with ctx.db.reading() as session:
        message_target(session, ctx.actor, message_id, "see")
    return _page(ctx, request, response, on_message(message_id), query)


@router.post(
    "/messages/{message_id}/markers",
    status_code=201,
    responses={**_REPEAT, **refusals(*_ONE, *_NEW, "no_video")},
)
def mark_message(
    ctx: ContextDep, message_id: UUID, body: NewMarker, response: Response
) -> MarkerOut:
    """Mark a moment or a range of a message's video."""
    load = partial(message_target, actor=ctx.actor, message_id=message_id, action="take_part")
    marker, is_new = create_marker(ctx, load, body)
    response.status_code = 201 if is_new else 200
    return marker


@router.patch(
    "/markers/{marker_id}", responses=refusals(*_ONE, "invalid", "timestamp_out_of_range")
)
def change(ctx: ContextDep, marker_id: UUID, body: EditMarker) -> MarkerOut:
    """Change one's own marker; either side says that it was tried, and the teacher settles it."""
    return edit_marker(ctx, marker_id, body)


@router.delete("/markers/{marker_id}", status_code=204, responses=refusals(*_ONE))
def remove(ctx: ContextDep, marker_id: UUID) -> None:
    """Take one's own marker back. Deleted twice is deleted."""
    delete_marker(ctx, marker_id)


# ── to keep ────────────────────────────────────────────────────────────────────


@router.get(
    _TAKE + ".vtt",
    response_class=Response,
    responses={200: {"content": {"text/vtt": {"schema": {"type": "string"}}}}, **refusals(*_ONE)},
)
def export_webvtt(ctx: ContextDep, submission_id: UUID) -> Response:
    """The markers on the take as WebVTT, for any player beside the downloaded video."""
    with ctx.db.reading() as session:
        target = take_target(session, ctx.actor, submission_id, "see")
        shown = load_all(session, on_take(submission_id))
    markers = [one.to_wire(ctx.actor) for one in shown]
    text = as_webvtt(markers, duration_ms=target.duration_ms)
    return _file(target, text, "vtt", "text/vtt")


@router.get(
    _TAKE + ".csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}, **refusals(*_ONE)},
)
def export_csv(ctx: ContextDep, submission_id: UUID) -> Response:
    """The markers on the take and on its thread's videos as a table."""
    target, markers = _everything(ctx, submission_id)
    return _file(target, as_csv(markers), "csv", "text/csv")


@router.get(_TAKE + ".json", responses=refusals(*_ONE))
def export_json(ctx: ContextDep, submission_id: UUID, response: Response) -> MarkerExport:
    """The same as JSON, with what the take is."""
    target, markers = _everything(ctx, submission_id)
    response.headers["Content-Disposition"] = _disposition(target, "json")
    return MarkerExport(
        submission_id=submission_id,
        context_title=target.thread.context_title,
        captured_at=target.thread.submission.captured_at,
        duration_ms=target.duration_ms,
        markers=markers,
    )


def _everything(ctx: Context, submission_id: UUID) -> tuple[Target, list[MarkerOut]]:
    with ctx.db.reading() as session:
        target = take_target(session, ctx.actor, submission_id, "see")
        shown = load_all(session, in_thread_of(submission_id, ctx.actor))
    return target, [one.to_wire(ctx.actor) for one in shown]


def _file(target: Target, text: str, extension: str, media_type: str) -> Response:
    headers = {"Content-Disposition": _disposition(target, extension)}
    return Response(text, media_type=f"{media_type}; charset=utf-8", headers=headers)


def _disposition(target: Target, extension: str) -> str:
    day = target.thread.submission.captured_at.date().isoformat()
    return f'attachment; filename="{day}-markers.{extension}"'


def _page(
    ctx: Context,
    request: Request,
    response: Response,
    where: ColumnElement[bool],
    query: MarkersQuery,
) -> list[MarkerOut]:
    with ctx.db.reading() as session:
        page = load_page(session, where, limit=query.limit, cursor=query.cursor)
    add_page_headers(
        request, response, base=base_url(request), total=page.total, next_cursor=page.next_cursor
    )
    return [one.to_wire(ctx.actor) for one in page.shown]
