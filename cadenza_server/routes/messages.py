"""The thread of a submission: text and video between the student and the teacher (PR2)."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from sqlmodel import col

from cadenza_server.confirming import confirm, confirm_lazily
from cadenza_server.context import Context, ContextDep, SignedInRoute, base_url
from cadenza_server.creating import fresh_urls
from cadenza_server.documentation import PAGE_HEADERS, refusals
from cadenza_server.messages import (
    MessagePage,
    load_message,
    load_thread,
    look_for_arrival,
    message_loader,
    message_out,
    messages_out,
    waiting_in,
)
from cadenza_server.messaging import count_unread, create_message, delete, edit, mark_read
from cadenza_server.pagination import MAX_LIMIT, add_page_headers
from cadenza_server.playback import playback
from cadenza_server.schemas import Confirm, Playback, UploadUrls
from cadenza_server.schemas_thread import (
    EditMessage,
    MessageConfirmed,
    MessageCreated,
    MessageOut,
    NewMessage,
    Unread,
)
from cadenza_server.tables import Message

router = APIRouter(tags=["messages"], route_class=SignedInRoute)
_ONE = ("invalid_id", "not_found", "forbidden", "submission_deleted")


class ThreadQuery(BaseModel):
    """Which page of a thread; most threads are one page."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="items a page")] = MAX_LIMIT
    cursor: Annotated[
        str | None, Field(max_length=1000, description="from the `Link` header; opaque")
    ] = None


@router.post(
    "/video-submissions/{submission_id}/messages",
    status_code=201,
    responses={
        200: {"model": MessageCreated, "description": "A repeat: this id is already created"},
        **refusals(
            *_ONE,
            "invalid",
            "content_required",
            "video_duration_required",
            "duration_out_of_range",
            "resolution_exceeded",
            "id_conflict",
            "too_large",
            "unsupported_media",
            "feature_disabled",
        ),
    },
)
def send(
    ctx: ContextDep, submission_id: UUID, body: NewMessage, response: Response
) -> MessageCreated:
    """Write to the other side: text, a video, or both (F001-U1).

    With an `id` the call may be repeated until it is answered. A video is uploaded and confirmed
    as a take is; until then only its sender sees it, and the other side sees the text.
    """
    answer, is_new = create_message(ctx, submission_id, body)
    response.status_code = 201 if is_new else 200
    return answer


@router.get(
    "/video-submissions/{submission_id}/messages",
    responses={**PAGE_HEADERS, **refusals(*_ONE, "invalid")},
)
def list_thread(
    ctx: ContextDep,
    submission_id: UUID,
    request: Request,
    response: Response,
    query: Annotated[ThreadQuery, Query()],
) -> list[MessageOut]:
    """The thread, oldest first; what was deleted keeps its place."""
    page = _thread(ctx, submission_id, query)
    with ctx.db.reading() as session:
        waiting = waiting_in(session, col(Message.submission_id) == submission_id)
    if confirm_lazily(ctx, waiting):
        page = _thread(ctx, submission_id, query)
    add_page_headers(
        request, response, base=base_url(request), total=page.total, next_cursor=page.next_cursor
    )
    return messages_out(ctx, page.shown)


@router.get("/messages/{message_id}", responses=refusals(*_ONE))
def read_one(ctx: ContextDep, message_id: UUID) -> MessageOut:
    """One message. To look at it is not to have read it."""
    look_for_arrival(ctx, message_id)
    with ctx.db.reading() as session:
        view = load_message(session, ctx.actor, message_id, "see")
    return message_out(ctx, view)


@router.get(
    "/messages/{message_id}/upload-url",
    responses=refusals(*_ONE, "already_uploaded", "no_video", "invalid"),
)
def upload_url(
    ctx: ContextDep, message_id: UUID, only: Literal["video", "thumbnail"] | None = None
) -> UploadUrls:
    """Fresh upload URLs for the sender, to try again."""
    return fresh_urls(ctx, message_loader(ctx.actor, message_id, "own"), only)


@router.post(
    "/messages/{message_id}/confirm",
    responses=refusals(
        *_ONE,
        "invalid",
        "no_video",
        "not_uploaded_yet",
        "size_mismatch",
        "checksum_mismatch",
        "too_large",
        "unsupported_media",
    ),
)
def confirm_upload(
    ctx: ContextDep, message_id: UUID, body: Confirm | None = None
) -> MessageConfirmed:
    """Have the server check what it stored, and get the receipt (B-01). May be repeated."""
    load = message_loader(ctx.actor, message_id, "own")
    view, receipt = confirm(ctx, load, body or Confirm())
    return MessageConfirmed(message=message_out(ctx, view), receipt=receipt)


@router.get(
    "/messages/{message_id}/video-url",
    responses=refusals(
        *_ONE, "invalid", "no_video", "not_uploaded_yet", "unsupported_media", "media_expired"
    ),
)
def video_url(ctx: ContextDep, message_id: UUID, download: bool = False) -> Playback:
    """A URL to watch or download the message's video."""
    look_for_arrival(ctx, message_id)
    return playback(ctx, message_loader(ctx.actor, message_id, "see"), download=download)


@router.patch("/messages/{message_id}/read", responses=refusals(*_ONE))
def read_receipt(ctx: ContextDep, message_id: UUID) -> MessageOut:
    """Say that one has read it; the first time counts, and one's own are read already."""
    return message_out(ctx, mark_read(ctx, message_id))


@router.patch("/messages/{message_id}", responses=refusals(*_ONE, "invalid", "content_required"))
def change(ctx: ContextDep, message_id: UUID, body: EditMessage) -> MessageOut:
    """Other words, by the sender, for 15 minutes."""
    return message_out(ctx, edit(ctx, message_id, body))


@router.delete("/messages/{message_id}", status_code=204, responses=refusals(*_ONE, "held"))
async def remove(ctx: ContextDep, message_id: UUID) -> None:
    """Take one's own message back: its text and video go, its place stays."""
    for key in await ctx.run(partial(delete, ctx, message_id)):
        await run_sync(ctx.storage.delete, key)


@router.get("/unread", responses=refusals())
def unread(ctx: ContextDep) -> Unread:
    """How many messages wait to be read, in all and by thread."""
    return count_unread(ctx)


def _thread(ctx: Context, submission_id: UUID, query: ThreadQuery) -> MessagePage:
    with ctx.db.reading() as session:
        return load_thread(
            session, ctx.actor, submission_id, limit=query.limit, cursor=query.cursor
        )
