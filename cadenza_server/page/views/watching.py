"""`/v/{submission}`: one take, to watch, to point at and to talk about."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from cadenza_server.access import can_access
from cadenza_server.context import Context, ContextDep
from cadenza_server.database import Session
from cadenza_server.errors import ApiError
from cadenza_server.messages import MessageView, message_loader
from cadenza_server.page.rendering import render
from cadenza_server.page.routing import SignedInPage
from cadenza_server.playback import playback
from cadenza_server.presenting import present_one
from cadenza_server.submissions import View, load_view, loader

router = APIRouter(route_class=SignedInPage, include_in_schema=False)


@router.get("/v/{submission_id}")
def watch(ctx: ContextDep, request: Request, submission_id: UUID) -> Response:
    """The player; strangers get the page that refuses, as does everybody for a deleted take."""
    with ctx.db.reading() as session:
        view = load_view(session, ctx.actor, submission_id, "see")
    role = _role(ctx, view)
    return render(
        ctx,
        request,
        "watch.html",
        take=present_one(ctx, view),
        student=view.owner.full_name or view.owner.email,
        role=role,
        kinds=("feedback", "question", "praise") if role == "teacher" else ("question",),
        back="/inbox" if ctx.actor.user_type == "teacher" else "/",
    )


@router.get("/v/{submission_id}/download")
def download(ctx: ContextDep, submission_id: UUID) -> Response:
    """The file itself, under a name of its own; the address in the store lives for minutes."""
    links = playback(ctx, loader(ctx.actor, submission_id, "see"), download=True)
    return RedirectResponse(links.video_url, 303, {"Cache-Control": "no-store"})


@router.get("/v/{submission_id}/replies/{message_id}/download")
def download_reply(ctx: ContextDep, submission_id: UUID, message_id: UUID) -> Response:
    """The same for the video of a reply in this take's thread."""
    load = message_loader(ctx.actor, message_id, "see")

    def load_in_thread(session: Session) -> MessageView:
        reply = load(session)
        if reply.message.submission_id != submission_id:
            raise ApiError("not_found", "There is no such reply.")
        return reply

    links = playback(ctx, load_in_thread, download=True)
    return RedirectResponse(links.video_url, 303, {"Cache-Control": "no-store"})


def _role(ctx: Context, view: View) -> str:
    """Who may write here, and what: only the student and the student's teacher are in a thread."""
    if can_access(ctx.actor, view.subject, "own"):
        return "student"
    return "teacher" if can_access(ctx.actor, view.subject, "review") else "observer"
