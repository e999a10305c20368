"""`/video-submissions`: a student's takes, from creation to the receipt."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from sqlmodel import col

from cadenza_server.confirming import confirm, confirm_lazily
from cadenza_server.context import ContextDep, SignedInRoute
from cadenza_server.creating import create_submission, fresh_urls
from cadenza_server.documentation import PAGE_HEADERS, refusals
from cadenza_server.listing import OwnFilters, list_submissions
from cadenza_server.playback import delete_submission, load_events, playback
from cadenza_server.presenting import present_one
from cadenza_server.schemas import (
    Confirm,
    Confirmed,
    EventOut,
    NewSubmission,
    Playback,
    SubmissionCreated,
    SubmissionOut,
    UploadUrls,
)
from cadenza_server.submissions import load_view, loader
from cadenza_server.tables import VideoSubmission

router = APIRouter(prefix="/video-submissions", tags=["submissions"], route_class=SignedInRoute)
_ONE = ("invalid_id", "not_found", "forbidden", "submission_deleted")


@router.post(
    "",
    status_code=201,
    response_model=SubmissionCreated,
    responses={
        200: {"model": SubmissionCreated, "description": "A repeat: this id is already created"},
        **refusals(
            "invalid",
            "invalid_id",
            "duration_required",
            "duration_out_of_range",
            "context_required",
            "resolution_exceeded",
            "context_not_found",
            "id_conflict",
            "too_large",
            "unsupported_media",
            "forbidden",
            "feature_disabled",
            "quota_exceeded",
            "submission_deleted",
        ),
    },
)
def create(ctx: ContextDep, body: NewSubmission, response: Response) -> SubmissionCreated:
    """Announce a take and get the URLs to upload it to (F000-52).

    With an `id` the call may be repeated until it is answered: the same request gives the same
    submission (200). Whatever is declared here (`size_bytes`, `sha256`) is signed into the URL and
    checked at the confirm.
    """
    answer, is_new = create_submission(ctx, body)
    response.status_code = 201 if is_new else 200
    return answer


@router.get("", responses={**PAGE_HEADERS, **refusals("invalid", "invalid_id")})
def list_own(
    ctx: ContextDep,
    request: Request,
    response: Response,
    filters: Annotated[OwnFilters, Query()],
) -> list[SubmissionOut]:
    """One's own submissions, newest capture first (F000-54)."""
    own = [col(VideoSubmission.user_id) == ctx.actor.id]
    return list_submissions(ctx, request, response, own, filters)


@router.get("/{submission_id}", responses=refusals(*_ONE))
def read(ctx: ContextDep, submission_id: UUID) -> SubmissionOut:
    """One submission (B-26)."""
    with ctx.db.reading() as session:
        view = load_view(session, ctx.actor, submission_id, "see")
    if confirm_lazily(ctx, [view.held]):
        with ctx.db.reading() as session:
            view = load_view(session, ctx.actor, submission_id, "see")
    return present_one(ctx, view)


@router.get("/{submission_id}/upload-url", responses=refusals(*_ONE, "already_uploaded", "invalid"))
def upload_url(
    ctx: ContextDep, submission_id: UUID, only: Literal["video", "thumbnail"] | None = None
) -> UploadUrls:
    """Fresh upload URLs, to try again (F000-53). Refused once the bytes are settled (B-24)."""
    return fresh_urls(ctx, loader(ctx.actor, submission_id, "own"), only)


@router.post(
    "/{submission_id}/confirm",
    responses=refusals(
        *_ONE,
        "invalid",
        "not_uploaded_yet",
        "size_mismatch",
        "checksum_mismatch",
        "too_large",
        "unsupported_media",
    ),
)
def confirm_upload(ctx: ContextDep, submission_id: UUID, body: Confirm | None = None) -> Confirmed:
    """Have the server check what it stored, and get the receipt (B-01). May be repeated."""
    load = loader(ctx.actor, submission_id, "own")
    view, receipt = confirm(ctx, load, body or Confirm())
    return Confirmed(submission=present_one(ctx, view), receipt=receipt)


@router.get(
    "/{submission_id}/video-url",
    responses=refusals(*_ONE, "invalid", "not_uploaded_yet", "unsupported_media", "media_expired"),
)
def video_url(ctx: ContextDep, submission_id: UUID, download: bool = False) -> Playback:
    """A URL to watch or download the take (F000-57). The store is asked first (B-02)."""
    return playback(ctx, loader(ctx.actor, submission_id, "see"), download=download)


@router.delete(
    "/{submission_id}",
    status_code=204,
    responses=refusals("invalid_id", "not_found", "forbidden", "already_reviewed", "held"),
)
async def delete(ctx: ContextDep, submission_id: UUID) -> None:
    """Delete one's own submission, before it is reviewed (B-26). Deleted twice is deleted."""
    for key in await ctx.run(partial(delete_submission, ctx, submission_id)):
        await run_sync(ctx.storage.delete, key)


@router.get("/{submission_id}/events", responses=refusals(*_ONE))
def events(ctx: ContextDep, submission_id: UUID) -> list[EventOut]:
    """What happened to this submission, in order."""
    return load_events(ctx, submission_id)
