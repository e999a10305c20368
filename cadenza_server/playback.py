"""After the upload: watching, the audit trail, and deletion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from sqlmodel import col, select

from cadenza_server.assets import Holder
from cadenza_server.burying import bury_thread
from cadenza_server.confirming import confirm_lazily
from cadenza_server.context import Context
from cadenza_server.database import Session
from cadenza_server.derivatives.wanting import forget, load_made
from cadenza_server.errors import ApiError
from cadenza_server.events import Fact, append
from cadenza_server.keys import is_webm, keys_of
from cadenza_server.outbox import announce, in_thread
from cadenza_server.schemas import EventOut, Playback
from cadenza_server.submissions import load_view
from cadenza_server.tables import MediaAsset, UploadEvent


class Watchable(Holder, Protocol):
    """A take or a message whose video may be kept as a file."""

    @property
    def download_name(self) -> str:
        """The file's name."""
        ...


def playback(ctx: Context, load: Callable[[Session], Watchable], *, download: bool) -> Playback:
    """Signed URLs to watch a video, or to keep it.

    Args:
        ctx: who asks.
        load: what is to be watched, checked to be visible to the actor.
        download: as a file with a name.

    Raises:
        ApiError: `not_uploaded_yet`, `unsupported_media`, `media_expired`, and those of `load`.
    """
    with ctx.db.reading() as session:
        held = load(session).held
    confirm_lazily(ctx, [held])
    with ctx.db.writing() as session:
        loaded = load(session)
        held = loaded.held
        _check_playable(held.asset)
        made = load_made(session, held.asset.id)
        fact = held.fact("playback_url_issued", ctx.actor.id, {"download": download})
        append(session, ctx.now(), fact)
    asset, expires_in = held.asset, ctx.settings.upload_url_expires_seconds
    name = loaded.download_name if download else None

    def signed(key: str | None) -> str | None:
        return ctx.storage.presign_get(key, expires_in=expires_in) if key else None

    return Playback(
        video_url=ctx.storage.presign_get(asset.s3_key, expires_in=expires_in, download_name=name),
        thumbnail_url=signed(asset.thumbnail_s3_key),
        expires_in=expires_in,
        storyboard_url=signed(asset.storyboard_key),
        waveform_url=signed(asset.waveform_key),
        derivatives=made.wire(asset),
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
        forget(session, view.asset.id)
        of_thread = bury_thread(session, submission_id, now)
        view.submission.notes = None  # deleted is deleted; the tombstone says only that it was
        session.add_all([view.submission, view.asset])
        session.flush()
        append(session, now, Fact("deleted", ctx.actor.id, submission_id))
        announce(
            session, now, in_thread(session, "submission.deleted", ctx.actor.id, submission_id)
        )
    return *keys_of(view.asset.s3_key), *of_thread


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


def _check_playable(asset: MediaAsset) -> None:
    state = asset.state
    if state == "expired":
        raise ApiError("media_expired")
    if state == "invalid":
        raise ApiError("unsupported_media")
    if state not in ("uploaded", "ready"):
        raise ApiError("not_uploaded_yet")
    if is_webm(asset.content_type) and asset.normalised_at is None:
        sentence = "The video has arrived and is being prepared."
        raise ApiError("not_uploaded_yet", sentence, fields={"preparing": True})
