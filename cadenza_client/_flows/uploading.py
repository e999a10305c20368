"""Sending a submission's or a message's files: a URL, the bytes, the confirm; every try afresh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal
from uuid import UUID

from cadenza_client._call import Flow, Outgoing, PutObject, Repeat, TakeFingerprint
from cadenza_client._endpoints import messages, submissions
from cadenza_client._flows.confirming import confirm
from cadenza_client._retry import RetryPolicy, Wait, decide_upload
from cadenza_client.errors import (
    AlreadyUploadedError,
    APIError,
    ObjectExistsError,
    ResponseError,
    StorageError,
    TransportError,
    UnsafeUploadUrlError,
)
from cadenza_client.models import Confirmation, MessageConfirmation, StoredObject, UploadTarget

__all__ = ["upload", "upload_message"]

Kind = Literal["video", "thumbnail"]
FindTarget = Callable[[Kind], Flow[UploadTarget | None]]


def upload(
    submission_id: UUID | str,
    video: Outgoing,
    thumbnail: Outgoing | None,
    *,
    policy: RetryPolicy,
    reply_seconds: float | None,
) -> Flow[Confirmation]:
    """Send a created submission's files and have them confirmed (M-11).

    Args:
        submission_id: as the server knows it.
        video: the file; every try signs afresh.
        thumbnail: likewise, and it never fails the whole (B-10).
        policy: how often to try within this call.
        reply_seconds: how long a confirm may take.
    """

    def target(kind: Kind) -> Flow[UploadTarget | None]:
        ticket = yield from submissions.upload_urls(submission_id, only=kind)
        return ticket.video if kind == "video" else ticket.thumbnail

    stored, has_thumbnail = yield from _send_both(target, video, thumbnail, policy)
    return (
        yield from confirm(
            submission_id,
            size_bytes=stored.size_bytes,
            sha256=video.sha256 or stored.sha256,
            md5=stored.md5,
            thumbnail=has_thumbnail,
            reply_seconds=reply_seconds,
        )
    )


def upload_message(
    message_id: UUID | str,
    video: Outgoing,
    thumbnail: Outgoing | None,
    *,
    policy: RetryPolicy,
    reply_seconds: float | None,
) -> Flow[MessageConfirmation]:
    """Send a created message's files and have them confirmed; see `upload`."""

    def target(kind: Kind) -> Flow[UploadTarget | None]:
        ticket = yield from messages.upload_urls(message_id, only=kind)
        return ticket.video if kind == "video" else ticket.thumbnail

    stored, has_thumbnail = yield from _send_both(target, video, thumbnail, policy)
    return (
        yield from messages.confirm(
            message_id,
            size_bytes=stored.size_bytes,
            sha256=video.sha256 or stored.sha256,
            thumbnail=has_thumbnail,
            reply_seconds=reply_seconds,
        )
    )


def _send_both(
    target: FindTarget, video: Outgoing, thumbnail: Outgoing | None, policy: RetryPolicy
) -> Flow[tuple[StoredObject, bool]]:
    """Send the files; what the store has of the video, and whether it has the thumbnail."""
    stored = yield from _send(target, "video", video, policy)
    if thumbnail is None:
        return stored, False
    try:
        yield from _send(target, "thumbnail", thumbnail, policy)
    except (StorageError, TransportError, ResponseError, APIError, UnsafeUploadUrlError):
        # Whether the network or the picture is at fault shows in the confirm, which counts.
        return stored, False
    return stored, True


def _send(
    find_target: FindTarget, kind: Kind, outgoing: Outgoing, policy: RetryPolicy
) -> Flow[StoredObject]:
    sending = False

    def attempt() -> Flow[StoredObject]:
        nonlocal sending
        sending = False
        try:
            target = yield from find_target(kind)
        except AlreadyUploadedError:
            return (yield from _as_stored(outgoing))
        if target is None:
            raise ResponseError(f"the server gave no URL to send the {kind} to")
        sending = True
        try:
            return (yield from PutObject(target, outgoing))
        except ObjectExistsError:
            return (yield from _as_stored(outgoing))

    def decide(error: BaseException, attempts: int) -> Wait | None:
        return decide_upload(error, attempts, policy=policy) if sending else None

    return (yield from Repeat(attempt, decide))


def _as_stored(outgoing: Outgoing) -> Flow[StoredObject]:
    """What the store must have if it is this file: the confirm will tell."""
    found = yield from TakeFingerprint(outgoing.source)
    return StoredObject(size_bytes=found.size_bytes, sha256=found.sha256, md5=found.md5)
