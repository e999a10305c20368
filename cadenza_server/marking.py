"""Marking moments: made once however often it is sent, edited, tried and settled, deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from cadenza_server.access import can_access
from cadenza_server.announcements import EventType
from cadenza_server.context import Context
from cadenza_server.database import Session, insert_row
from cadenza_server.errors import ApiError
from cadenza_server.marker_rules import (
    MAX_MARKERS,
    check_measures,
    check_moment,
    check_status,
    check_type,
    default_type,
)
from cadenza_server.markers import ShownMarker, Target, count_on, load_marker, unknown_marker
from cadenza_server.outbox import announce, in_thread
from cadenza_server.schemas_thread import EditMarker, MarkerOut, NewMarker
from cadenza_server.submissions import find_view
from cadenza_server.tables import User, VideoMarker

_CONTENT = frozenset(
    {
        "timestamp_ms",
        "end_ms",
        "text",
        "marker_type",
        "page_number",
        "measure_number",
        "measure_end",
    }
)


def create_marker(
    ctx: Context, load: Callable[[Session], Target], body: NewMarker
) -> tuple[MarkerOut, bool]:
    """Mark a moment, or find the marker an earlier attempt made.

    Args:
        ctx: who marks.
        load: the video, checked to be one the actor may write on.
        body: what and where.

    Returns:
        The marker, and whether it is new (201) or a repeat (200).

    Raises:
        ApiError: see the route.
    """
    with ctx.db.writing() as session:
        target = load(session)
        fingerprint = _fingerprint(target, body)
        if (marker := _find_replay(session, ctx, body.client_id, fingerprint)) is None:
            marker, is_new = _insert(session, ctx, target, body, fingerprint), True
            _announce(session, ctx, marker, "marker.created")
        else:
            is_new = False
        author = session.get(User, ctx.actor.id)
        assert author is not None
    shown = ShownMarker(marker, author.full_name or author.email)
    return shown.to_wire(ctx.actor), is_new


def edit_marker(ctx: Context, marker_id: UUID, body: EditMarker) -> MarkerOut:
    """Change what is given: the author the words and the place, either side the status.

    Raises:
        ApiError: `not_found`, `forbidden`, `timestamp_out_of_range`, `invalid`.
    """
    with ctx.db.writing() as session:
        shown, target = load_marker(session, ctx.actor, marker_id, "take_part")
        marker = shown.marker
        if marker.deleted_at is not None:
            raise unknown_marker()
        before = marker.model_dump()
        _edit_content(ctx, marker, target, _given(body))
        _set_status(session, ctx, marker, target, body)
        if marker.model_dump() != before:
            session.add(marker)
            session.flush()
            _announce(session, ctx, marker, "marker.updated")
    return shown.to_wire(ctx.actor)


def delete_marker(ctx: Context, marker_id: UUID) -> None:
    """Take one's own marker back; a second time changes nothing.

    Raises:
        ApiError: `not_found`; `forbidden` for somebody else's.
    """
    with ctx.db.writing() as session:
        shown, _ = load_marker(session, ctx.actor, marker_id, "take_part")
        marker = shown.marker
        _check_author(ctx, marker)
        if marker.deleted_at is None:
            # Its words go with it; the row stays, so that a repeated create makes no new one.
            marker.text, marker.deleted_at = "", ctx.now()
            session.add(marker)
            session.flush()
            _announce(session, ctx, marker, "marker.deleted")


def _is_student(ctx: Context, target: Target) -> bool:
    return can_access(ctx.actor, target.thread.subject, "own")


def _insert(
    session: Session, ctx: Context, target: Target, body: NewMarker, fingerprint: str
) -> VideoMarker:
    is_student = _is_student(ctx, target)
    marker_type = body.marker_type or default_type(is_student=is_student)
    check_type(marker_type, is_student=is_student)
    check_moment(body.timestamp_ms, body.end_ms, within_ms=target.duration_ms)
    check_measures(body.measure_number, body.measure_end)
    if count_on(session, target) >= MAX_MARKERS:
        raise ApiError("quota_exceeded", f"At most {MAX_MARKERS} markers fit on one video.")
    is_page_given = "page_number" in body.model_fields_set
    marker = VideoMarker(
        submission_id=target.thread.submission.id,
        message_id=target.message_id,
        author_id=ctx.actor.id,
        timestamp_ms=body.timestamp_ms,
        end_ms=body.end_ms,
        text=body.text,
        marker_type=marker_type,
        page_number=body.page_number if is_page_given else target.page_number,
        measure_number=body.measure_number,
        measure_end=body.measure_end,
        client_id=body.client_id,
        create_fingerprint=fingerprint,
        created_at=ctx.now(),
    )
    insert_row(session, marker)
    return marker


def _fingerprint(target: Target, body: NewMarker) -> str:
    """Tells the same request from another one with the same `client_id`."""
    said = body.model_dump_json(exclude={"client_id"}, exclude_unset=True)
    where = f"{target.thread.submission.id} {target.message_id}"
    return hashlib.sha256(f"{where} {said}".encode()).hexdigest()


def _find_replay(
    session: Session, ctx: Context, client_id: UUID | None, fingerprint: str
) -> VideoMarker | None:
    """What an earlier attempt made; None when the id is new.

    Raises:
        ApiError: `id_conflict` for another request; `not_found` for a marker that was deleted.
    """
    if client_id is None:
        return None
    query = select(VideoMarker).where(
        col(VideoMarker.author_id) == ctx.actor.id, col(VideoMarker.client_id) == client_id
    )
    marker = session.exec(query).first()
    if marker is None:
        return None
    if marker.create_fingerprint != fingerprint:
        raise ApiError("id_conflict")
    if marker.deleted_at is not None:
        raise ApiError("not_found", "This marker was deleted.")
    return marker


def _given(body: EditMarker) -> dict[str, Any]:
    """The fields of the request, without those that were left out."""
    return {name: getattr(body, name) for name in body.model_fields_set}


def _edit_content(ctx: Context, marker: VideoMarker, target: Target, given: dict[str, Any]) -> None:
    changes = {name: value for name, value in given.items() if name in _CONTENT}
    if not changes:
        return
    _check_author(ctx, marker)
    is_new = any(getattr(marker, name) != value for name, value in changes.items())
    for name, value in changes.items():
        setattr(marker, name, value)
    check_type(marker.marker_type, is_student=_is_student(ctx, target))
    check_moment(marker.timestamp_ms, marker.end_ms, within_ms=target.duration_ms)
    check_measures(marker.measure_number, marker.measure_end)
    if is_new:
        marker.edited_at = ctx.now()


def _set_status(
    session: Session, ctx: Context, marker: VideoMarker, target: Target, body: EditMarker
) -> None:
    if body.status is not None:
        check_status(marker.status, body.status, is_student=_is_student(ctx, target))
        marker.status = body.status
    if "settled_by_submission_id" in body.model_fields_set:
        if body.settled_by_submission_id is not None:
            _check_evidence(session, marker, target, body.settled_by_submission_id)
        marker.settled_by_submission_id = body.settled_by_submission_id
    if marker.status == "open":
        marker.settled_by_submission_id = None


def _check_evidence(
    session: Session, marker: VideoMarker, target: Target, submission_id: UUID
) -> None:
    """The take that shows it is one of the same student's, and there is something to show."""
    if marker.status == "open":
        raise ApiError("invalid", "Only what was tried or settled has a take that shows it.")
    evidence = find_view(session, submission_id)
    is_theirs = evidence is not None and evidence.owner.id == target.thread.owner.id
    if evidence is None or not is_theirs or evidence.submission.deleted_at is not None:
        raise ApiError(
            "not_found",
            "There is no such take of this student's.",
            fields={"settled_by_submission_id": "not found"},
        )


def _check_author(ctx: Context, marker: VideoMarker) -> None:
    if marker.author_id != ctx.actor.id:
        raise ApiError("forbidden", "Only who made a marker may change or delete it.")


def _announce(session: Session, ctx: Context, marker: VideoMarker, event: EventType) -> None:
    now: datetime = ctx.now()
    more = {"message_id": marker.message_id} if marker.message_id else {}
    announcement = in_thread(
        session,
        event,
        ctx.actor.id,
        marker.submission_id,
        subject_id=marker.id,
        about=marker.text,
        marker_id=marker.id,
        **more,
    )
    announce(session, now, announcement)
