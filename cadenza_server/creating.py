"""Creating a submission: idempotent by the client's id (B-19), and the URLs that go with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import bindparam, func, select
from sqlmodel import col

from cadenza_server.assets import Held, Holder
from cadenza_server.context import Context
from cadenza_server.database import Session, insert_row
from cadenza_server.errors import ApiError
from cadenza_server.events import append
from cadenza_server.keys import is_webm, thumbnail_key_beside, upload_key, video_key
from cadenza_server.outbox import announce, in_thread
from cadenza_server.presenting import present_alone, present_one
from cadenza_server.reference import visible_context
from cadenza_server.schemas import NewSubmission, SubmissionCreated, UploadUrls
from cadenza_server.submissions import Shown, View, load_view
from cadenza_server.tables import MediaAsset, VideoSubmission, metadata
from cadenza_server.uploads import (
    check_content_type,
    check_resolution,
    check_size,
    thumbnail_promise,
    video_promise,
)

_ASSETS, _SUBMISSIONS = metadata.tables["media_assets"], metadata.tables["video_submissions"]
# A capture time before this is a device whose clock was never set.
_EARLIEST_CAPTURE = datetime(2000, 1, 1, tzinfo=UTC)
# Who has an id, and by which request. Any asset counts: an id is one thing, for ever.
_TAKEN = (
    select(_ASSETS.c.owner_id, _SUBMISSIONS.c.create_fingerprint)
    .outerjoin(_SUBMISSIONS, _SUBMISSIONS.c.id == _ASSETS.c.id)
    .where(_ASSETS.c.id == bindparam("id"))
)


def create_submission(ctx: Context, body: NewSubmission) -> tuple[SubmissionCreated, bool]:
    """Create a submission, or find the one an earlier attempt made.

    Returns:
        The answer, and whether it is new (201) or a repeat (200).

    Raises:
        ApiError: see the route.
    """
    _check_request(ctx, body)
    fingerprint = _fingerprint(body)
    now = ctx.now()
    with ctx.db.writing() as session:
        view: Shown | None = _find_replay(session, ctx, body.id, fingerprint)
        is_new = view is None
        view = view or _insert(session, ctx, body, fingerprint, now)
        urls = upload_urls(ctx, view.held)
        facts = [view.held.fact("created", ctx.actor.id, _announced(body))] if is_new else []
        if urls.upload_url or urls.thumbnail_upload_url:
            facts.append(view.held.fact("urls_issued", ctx.actor.id, {"only": None}))
        if facts:
            append(session, now, *facts)
        if is_new:
            held = view.held
            event = in_thread(session, "submission.created", ctx.actor.id, held.submission_id)
            announce(session, now, event)
    submission = present_alone(ctx, view) if is_new else present_one(ctx, view)
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


def _find_replay(
    session: Session, ctx: Context, submission_id: UUID | None, fingerprint: str
) -> View | None:
    """What an earlier attempt with this id made; None when the id is new."""
    taken = submission_id and session.core.execute(_TAKEN, {"id": submission_id}).first()
    if not submission_id or not taken:
        return None
    if tuple(taken) != (ctx.actor.id, fingerprint):
        raise ApiError("id_conflict")
    return load_view(session, ctx.actor, submission_id, "own")


def _insert(
    session: Session, ctx: Context, body: NewSubmission, fingerprint: str, now: datetime
) -> Shown:
    title = visible_context(session, ctx.actor, body)
    _check_quota(session, ctx, now)
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
    insert_row(session, asset)
    insert_row(session, submission)
    return Shown(submission, asset, title)


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


def _announced(body: NewSubmission) -> dict[str, object]:
    return {
        "duration_seconds": body.duration_seconds,
        "size_bytes": body.size_bytes,
        "sha256": body.sha256,
    }
