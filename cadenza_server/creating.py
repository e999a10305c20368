"""Creating a submission: idempotent by the client's id (B-19), and the URLs that go with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlmodel import col

from cadenza_server.announcements import Announcement
from cadenza_server.assets import Held, Holder
from cadenza_server.batches import Batch
from cadenza_server.context import Context
from cadenza_server.database import Session
from cadenza_server.errors import ApiError
from cadenza_server.events import append, seal_into
from cadenza_server.keys import is_webm, thumbnail_key_beside, upload_key, video_key
from cadenza_server.outbox import announce_into, thread_data
from cadenza_server.presenting import present_alone, present_one
from cadenza_server.reference import visible_context
from cadenza_server.schemas import NewSubmission, SubmissionCreated, UploadUrls
from cadenza_server.standing import Standing, look
from cadenza_server.submissions import Shown, View, load_view
from cadenza_server.tables import MediaAsset, VideoSubmission
from cadenza_server.uploads import (
    check_content_type,
    check_resolution,
    check_size,
    thumbnail_promise,
    video_promise,
)

# A capture time before this is a device whose clock was never set.
_EARLIEST_CAPTURE = datetime(2000, 1, 1, tzinfo=UTC)


def create_submission(ctx: Context, body: NewSubmission) -> tuple[SubmissionCreated, bool]:
    """Create a submission, or find the one an earlier attempt made.

    Returns:
        The answer, and whether it is new (201) or a repeat (200).

    Raises:
        ApiError: see the route.
    """
    _check_request(ctx, body)
    now, fingerprint = ctx.now(), _fingerprint(body)
    # All that can be made beforehand is: the other writers wait from here to the commit.
    draft = _draft(ctx, body, fingerprint, now)
    urls = upload_urls(ctx, draft.held)
    with ctx.db.writing() as session:
        standing = look(session, ctx.actor.id, draft.submission.id, body.piece_id)
        if is_new := standing.taken is None:
            title = visible_context(session, ctx.actor, body, standing.piece)
            _check_quota(session, ctx, now)
            _insert(session, ctx, draft, standing)
        else:
            if standing.taken != (ctx.actor.id, fingerprint):
                raise ApiError("id_conflict")
            view, urls = _replay(session, ctx, draft.submission.id, now)
    submission = (
        present_alone(ctx, replace(draft, context_title=title))
        if is_new
        else present_one(ctx, view)
    )
    return SubmissionCreated(submission=submission, **dict(urls)), is_new


def fresh_urls(ctx: Context, load: Callable[[Session], Holder], only: str | None) -> UploadUrls:
    """New upload URLs for an owner who is not done yet (F000-53).

    Args:
        ctx: who asks.
        load: of what; checked to be the actor's.
        only: `video` or `thumbnail`; None for both.

    Raises:
        ApiError: `already_uploaded` when there is nothing left to upload.
    """
    with ctx.db.writing() as session:
        held = load(session).held
        urls = upload_urls(ctx, held, only=only)
        wanted = urls.thumbnail_upload_url if only == "thumbnail" else urls.upload_url
        if wanted is None:
            raise ApiError("already_uploaded")
        append(session, ctx.now(), held.fact("urls_issued", ctx.actor.id, {"only": only}))
    return urls


def upload_urls(ctx: Context, held: Held, *, only: str | None = None) -> UploadUrls:
    """Signed URLs for what may still be uploaded; null for what may not."""
    asset, expires_in = held.asset, ctx.settings.upload_url_expires_seconds
    frozen = held.is_frozen
    video = thumbnail = None
    if only != "thumbnail" and not frozen:
        sent = upload_key(asset.s3_key, asset.content_type)
        video = ctx.storage.presign_put(sent, video_promise(asset), expires_in=expires_in)
    if only != "video" and not (asset.thumbnail_s3_key and frozen):
        key = thumbnail_key_beside(asset.s3_key)
        promise = thumbnail_promise(asset)
        thumbnail = ctx.storage.presign_put(key, promise, expires_in=expires_in)
    return UploadUrls(
        upload_url=video and video.url,
        upload_headers=video and video.headers,
        thumbnail_upload_url=thumbnail and thumbnail.url,
        thumbnail_upload_headers=thumbnail and thumbnail.headers,
        expires_in=expires_in,
    )


def _check_request(ctx: Context, body: NewSubmission) -> None:
    if ctx.actor.user_type == "teacher":
        raise ApiError("forbidden", "Only students send takes.")
    if ctx.actor.features.get("video_submissions") is False:
        raise ApiError("feature_disabled", "Insufficient feature access: video_submissions")
    if not (body.exercise_id or body.piece_id or body.session_id):
        raise ApiError("context_required")  # B-20
    check_resolution(body.width, body.height)
    check_size(body.size_bytes, ctx.settings.max_upload_bytes)
    check_content_type(body.content_type, ctx.settings)


def _fingerprint(body: NewSubmission) -> str:
    """Tells the same request from another one with the same id."""
    # An MP4 is what a request meant that said nothing of it, from before one could.
    left_out = {"id"} if is_webm(body.content_type) else {"id", "content_type"}
    return hashlib.sha256(body.model_dump_json(exclude=left_out).encode()).hexdigest()


def _replay(
    session: Session, ctx: Context, submission_id: UUID, now: datetime
) -> tuple[View, UploadUrls]:
    """What an earlier attempt with this id made, and URLs for what it may still upload."""
    view = load_view(session, ctx.actor, submission_id, "own")
    urls = upload_urls(ctx, view.held)
    if urls.upload_url or urls.thumbnail_upload_url:
        append(session, now, view.held.fact("urls_issued", ctx.actor.id, {"only": None}))
    return view, urls


def _draft(ctx: Context, body: NewSubmission, fingerprint: str, now: datetime) -> Shown:
    """The submission as it will be, should nothing speak against it."""
    submission_id = body.id or uuid4()
    asset = MediaAsset(
        id=submission_id,
        owner_id=ctx.actor.id,
        s3_key=video_key(ctx.settings.key_prefix, ctx.actor.id, submission_id),
        content_type=body.content_type,
        declared_size=body.size_bytes,
        declared_sha256=body.sha256,
        declared_thumbnail_size=body.thumbnail_size_bytes,
        width=body.width,
        height=body.height,
        created_at=now,
    )
    submission = VideoSubmission(
        id=submission_id,
        asset_id=submission_id,
        user_id=ctx.actor.id,
        exercise_id=body.exercise_id,
        piece_id=body.piece_id,
        session_id=body.session_id,
        duration_seconds=body.duration_seconds,
        notes=body.notes,
        page_number=body.page_number,
        measure_number=body.measure_number,
        measure_end=body.measure_end,
        captured_at=_bounded(body.captured_at, now),
        created_at=now,
        create_fingerprint=fingerprint,
    )
    return Shown(submission, asset, None)


def _insert(session: Session, ctx: Context, draft: Shown, standing: Standing) -> None:
    """The rows, what the audit trail says of them, and the event."""
    submission, asset = draft.submission, draft.asset
    batch = Batch()
    batch.add_row(asset)
    batch.add_row(submission)
    data = {
        "duration_seconds": submission.duration_seconds,
        "size_bytes": asset.declared_size,
        "sha256": asset.declared_sha256,
    }
    seal_into(
        batch,
        standing.last,
        submission.created_at,
        draft.held.fact("created", ctx.actor.id, data),
        draft.held.fact("urls_issued", ctx.actor.id, {"only": None}),
    )
    event = Announcement(
        "submission.created",
        ctx.actor.id,
        standing.membership.audience(submission.created_at),
        submission.id,
        thread_data(submission.id, ctx.actor.id),
    )
    announce_into(batch, standing.hooks, submission.created_at, event)
    batch.insert(session)


def _bounded(captured_at: datetime | None, now: datetime) -> datetime:
    """The device's word for when it was played, unless its clock is plainly wrong (B-28)."""
    if captured_at is None or not _EARLIEST_CAPTURE <= captured_at <= now:
        return now
    return captured_at


def _check_quota(session: Session, ctx: Context, now: datetime) -> None:
    quota = ctx.settings.takes_per_day
    if quota is None:
        return
    recent = session.execute(
        select(func.count())
        .select_from(VideoSubmission)
        .where(
            col(VideoSubmission.user_id) == ctx.actor.id,
            col(VideoSubmission.created_at) > now - timedelta(days=1),
        )
    ).scalar_one()
    if recent >= quota:
        raise ApiError("quota_exceeded", f"At most {quota} takes a day; try again tomorrow.")
