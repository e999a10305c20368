"""Writing in a thread: messages are sent, read, edited for a while, and deleted to a tombstone."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from cadenza_server.announcements import EventType
from cadenza_server.burying import bury_markers
from cadenza_server.context import Context
from cadenza_server.creating import upload_urls
from cadenza_server.database import Session, insert_row
from cadenza_server.derivatives.wanting import forget
from cadenza_server.errors import ApiError
from cadenza_server.events import append
from cadenza_server.keys import keys_of, message_video_key
from cadenza_server.messages import (
    MessageView,
    ShownMessage,
    load_message,
    message_out,
)
from cadenza_server.outbox import announce, in_thread
from cadenza_server.schemas import UploadUrls
from cadenza_server.schemas_thread import EditMessage, MessageCreated, NewMessage, Unread
from cadenza_server.submissions import View, load_view
from cadenza_server.tables import MediaAsset, Message, MessageRead, User, VideoMarker
from cadenza_server.threads import unread_in
from cadenza_server.uploads import check_content_type, check_resolution, check_size

EDITABLE_FOR = timedelta(minutes=15)
_NO_URLS = UploadUrls(
    upload_url=None,
    thumbnail_upload_url=None,
    expires_in=0,
    upload_headers=None,
    thumbnail_upload_headers=None,
)


def create_message(
    ctx: Context, submission_id: UUID, body: NewMessage
) -> tuple[MessageCreated, bool]:
    """Write in a thread, or find the message an earlier attempt made.

    Returns:
        The answer, and whether it is new (201) or a repeat (200).

    Raises:
        ApiError: see the route.
    """
    fingerprint = _fingerprint(submission_id, body)
    now = ctx.now()
    with ctx.db.writing() as session:
        thread = load_view(session, ctx.actor, submission_id, "take_part")
        view: ShownMessage | None = _find_replay(session, ctx, body.id, fingerprint)
        is_new = view is None
        if view is None:
            _check(session, ctx, thread, body)
            view = _insert(session, ctx, thread, body, fingerprint, now)
            if view.message.text is not None:  # a video alone is told of when it has arrived
                _announce(session, ctx, view.message, "message.created")
        urls = _urls(session, ctx, view, now, is_new=is_new)
    return MessageCreated(message=message_out(ctx, view), **dict(urls)), is_new


def mark_read(ctx: Context, message_id: UUID) -> MessageView:
    """The recipient has read it; the first time counts. One's own is read already."""
    with ctx.db.writing() as session:
        view = load_message(session, ctx.actor, message_id, "take_part")
        if view.message.sender_id == ctx.actor.id:
            return view
        key = (message_id, ctx.actor.id)
        if session.get(MessageRead, key) is None:
            row = MessageRead(message_id=message_id, user_id=ctx.actor.id, read_at=ctx.now())
            insert_row(session, row)
            _announce(session, ctx, view.message, "message.read")
            view = load_message(session, ctx.actor, message_id, "take_part")
    return view


def edit(ctx: Context, message_id: UUID, body: EditMessage) -> MessageView:
    """Other words, by the sender, while the other side may not have acted on the first ones.

    Raises:
        ApiError: `forbidden` after 15 minutes; `content_required` when nothing would be left.
    """
    with ctx.db.writing() as session:
        view = load_message(session, ctx.actor, message_id, "own")
        message, now = view.message, ctx.now()
        if message.deleted_at is not None:
            raise ApiError("not_found", "This message was deleted.")
        if now - message.created_at > EDITABLE_FOR:
            raise ApiError("forbidden", "A message can be edited for 15 minutes.")
        if not body.text and message.asset_id is None:
            raise ApiError("content_required")
        if (body.text or None) != message.text:
            # The first words beside a video on its way are what the other side sees first.
            on_its_way = view.asset is not None and view.asset.confirmed_at is None
            is_news = on_its_way and message.text is None
            message.text, message.edited_at = body.text or None, now
            session.add(message)
            session.flush()
            _announce(session, ctx, message, "message.created" if is_news else "message.updated")
    return view


def delete(ctx: Context, message_id: UUID) -> tuple[str, ...]:
    """Leave a tombstone; a second time changes nothing.

    Returns:
        The keys to remove from the store, once the tombstone is durable.

    Raises:
        ApiError: `held`.
    """
    with ctx.db.writing() as session:
        view = load_message(session, ctx.actor, message_id, "own")
        message, asset, now = view.message, view.asset, ctx.now()
        if message.deleted_at is not None:
            return ()
        if asset is not None:
            if asset.hold:
                raise ApiError("held")
            append(session, now, view.held.fact("deleted", ctx.actor.id))
            asset.deleted_at, asset.state = now, "deleted"
            session.add(asset)
            forget(session, asset.id)
        message.text, message.deleted_at = None, now
        session.add(message)
        session.flush()
        bury_markers(session, message.submission_id, message.id, now)
        _announce(session, ctx, message, "message.deleted")
    return keys_of(asset.s3_key) if asset else ()


def count_unread(ctx: Context) -> Unread:
    """What waits to be read, in all threads one takes part in."""
    with ctx.db.reading() as session:
        rows = unread_in(session, ctx.actor.id)
    by_student: dict[str, int] = {}
    for _, student_id, count in rows:
        by_student[str(student_id)] = by_student.get(str(student_id), 0) + count
    return Unread(
        total=sum(by_student.values()),
        by_submission={str(submission_id): count for submission_id, _, count in rows},
        by_student=by_student,
    )


def _check(session: Session, ctx: Context, thread: View, body: NewMessage) -> None:
    if not body.text and not body.include_video:
        raise ApiError("content_required")
    if body.include_video:
        if body.video_duration_seconds is None:
            raise ApiError("video_duration_required")
        if ctx.actor.features.get("video_submissions") is False:
            raise ApiError("feature_disabled", "Insufficient feature access: video_submissions")
        check_resolution(body.width, body.height)
        check_size(body.size_bytes, ctx.settings.max_upload_bytes)
        check_content_type(body.content_type, ctx.settings)
    if body.marker_id is not None:
        marker = session.get(VideoMarker, body.marker_id)
        is_here = marker is not None and marker.submission_id == thread.submission.id
        if marker is None or not is_here or marker.deleted_at is not None:
            raise ApiError(
                "not_found",
                "There is no such marker in this thread.",
                fields={"marker_id": "not found"},
            )


def _fingerprint(submission_id: UUID, body: NewMessage) -> str:
    """Tells the same request from another one with the same id."""
    said = body.model_dump_json(exclude={"id"}, exclude_none=True)
    return hashlib.sha256(f"{submission_id} {said}".encode()).hexdigest()


def _find_replay(
    session: Session, ctx: Context, message_id: UUID | None, fingerprint: str
) -> ShownMessage | None:
    """What an earlier attempt with this id made; None when the id is new."""
    if message_id is None:
        return None
    message = session.get(Message, message_id)
    if message is None:
        if session.get(MediaAsset, message_id) is not None:
            raise ApiError("id_conflict")  # an id is one thing, for ever
        return None
    if (message.sender_id, message.create_fingerprint) != (ctx.actor.id, fingerprint):
        raise ApiError("id_conflict")
    return load_message(session, ctx.actor, message_id, "own")


def _insert(
    session: Session,
    ctx: Context,
    thread: View,
    body: NewMessage,
    fingerprint: str,
    now: datetime,
) -> ShownMessage:
    message_id = body.id or uuid4()
    asset = None
    if body.include_video:
        asset = MediaAsset(
            id=message_id,
            owner_id=ctx.actor.id,
            kind="message",
            s3_key=message_video_key(ctx.settings.key_prefix, ctx.actor.id, message_id),
            content_type=body.content_type,
            declared_size=body.size_bytes,
            declared_sha256=body.sha256,
            declared_thumbnail_size=body.thumbnail_size_bytes,
            width=body.width,
            height=body.height,
            created_at=now,
        )
        insert_row(session, asset)
    message = Message(
        id=message_id,
        submission_id=thread.submission.id,
        sender_id=ctx.actor.id,
        text=body.text or None,
        asset_id=asset.id if asset else None,
        video_duration_seconds=body.video_duration_seconds if asset else None,
        page_number=body.page_number,
        measure_number=body.measure_number,
        marker_id=body.marker_id,
        created_at=now,
        create_fingerprint=fingerprint,
    )
    insert_row(session, message)
    sender = session.get(User, ctx.actor.id)
    assert sender is not None
    return ShownMessage(message, asset, sender.full_name or sender.email, None)


def _urls(
    session: Session, ctx: Context, view: ShownMessage, now: datetime, *, is_new: bool
) -> UploadUrls:
    """Where the video goes; written into the thread's audit trail as a take's is."""
    if view.asset is None or view.message.deleted_at is not None:
        return _NO_URLS.model_copy(update={"expires_in": ctx.settings.upload_url_expires_seconds})
    held = view.held
    urls = upload_urls(ctx, held)
    facts = []
    if is_new:
        data = {"size_bytes": view.asset.declared_size, "sha256": view.asset.declared_sha256}
        facts.append(held.fact("created", ctx.actor.id, data))
    if urls.upload_url or urls.thumbnail_upload_url:
        facts.append(held.fact("urls_issued", ctx.actor.id, {"only": None}))
    if facts:
        append(session, now, *facts)
    return urls


def _announce(session: Session, ctx: Context, message: Message, event: EventType) -> None:
    announcement = in_thread(
        session,
        event,
        ctx.actor.id,
        message.submission_id,
        subject_id=message.id,
        about=message.text,
        message_id=message.id,
    )
    announce(session, ctx.now(), announcement)
