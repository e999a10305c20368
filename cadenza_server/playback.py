"""After the upload: watching, the audit trail, and deletion."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import col, select

from cadenza_server.confirming import confirm_lazily
from cadenza_server.context import Context
from cadenza_server.errors import ApiError
from cadenza_server.events import Fact, append
from cadenza_server.keys import thumbnail_key_beside
from cadenza_server.schemas import EventOut, Playback
from cadenza_server.submissions import View, load_view
from cadenza_server.tables import UploadEvent


def playback(ctx: Context, submission_id: UUID, *, download: bool) -> Playback:
    """Signed URLs to watch a take, or to keep it.

    Raises:
        ApiError: `not_uploaded_yet`, `unsupported_media`, `media_expired`.
    """
    with ctx.db.reading() as session:
        view = load_view(session, ctx.actor, submission_id, "see")
    confirm_lazily(ctx, [view])
    with ctx.db.writing() as session:
        view = load_view(session, ctx.actor, submission_id, "see")
        _check_playable(view)
        fact = Fact("playback_url_issued", ctx.actor.id, submission_id, {"download": download})
        append(session, ctx.now(), fact)
    asset, expires_in = view.asset, ctx.settings.upload_url_expires_seconds
    name = _download_name(view) if download else None
    key = asset.thumbnail_s3_key
    return Playback(
        video_url=ctx.storage.presign_get(asset.s3_key, expires_in=expires_in, download_name=name),
        thumbnail_url=ctx.storage.presign_get(key, expires_in=expires_in) if key else None,
        expires_in=expires_in,
    )


def delete_submission(ctx: Context, submission_id: UUID) -> tuple[str, ...]:
    """Leave a tombstone; a second time changes nothing.

    Returns:
        The keys to remove from the store, once the tombstone is durable: a crash in between
        leaves bytes that nobody can reach, never a row whose bytes are gone.

    Raises:
        ApiError: `already_reviewed`, `held`.
    """
    with ctx.db.writing() as session:
        try:
            view = load_view(session, ctx.actor, submission_id, "own")
        except ApiError as error:
            if error.code == "submission_deleted":
                return ()
            raise
        if view.submission.reviewed_at is not None:
            raise ApiError("already_reviewed")
        if view.asset.hold:
            raise ApiError("held")
        now = ctx.now()
        view.submission.deleted_at = view.asset.deleted_at = now
        view.asset.state = "deleted"
        session.add_all([view.submission, view.asset])
        session.flush()
        append(session, now, Fact("deleted", ctx.actor.id, submission_id))
    return view.asset.s3_key, thumbnail_key_beside(view.asset.s3_key)


def load_events(ctx: Context, submission_id: UUID) -> list[EventOut]:
    """The audit trail of one submission, in order."""
    query = (
        select(UploadEvent)
        .where(UploadEvent.submission_id == submission_id)
        .order_by(col(UploadEvent.seq))
    )
    with ctx.db.reading() as session:
        load_view(session, ctx.actor, submission_id, "see")
        return [EventOut(**line.model_dump()) for line in session.exec(query)]


def _check_playable(view: View) -> None:
    state = view.asset.state
    if state == "expired":
        raise ApiError("media_expired")
    if state == "invalid":
        raise ApiError("unsupported_media")
    if state not in ("uploaded", "ready"):
        raise ApiError("not_uploaded_yet")


def _download_name(view: View) -> str:
    """`2026-11-20-Bourree.mp4`: the day it was played and what it is."""
    day = view.submission.captured_at.date().isoformat()
    return f"{day}-{view.context_title or 'take'}.mp4"
