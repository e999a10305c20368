"""Sending a created submission's files: a URL, the bytes, the confirm; afresh for every try."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from cadenza_client._call import Flow, Outgoing, PutObject, Repeat, TakeFingerprint
from cadenza_client._endpoints import submissions as endpoints
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
from cadenza_client.models import Confirmation, StoredObject

__all__ = ["upload"]


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
    stored = yield from _send(submission_id, "video", video, policy)
    has_thumbnail = False
    if thumbnail is not None:
        try:
            yield from _send(submission_id, "thumbnail", thumbnail, policy)
            has_thumbnail = True
        except (StorageError, TransportError, ResponseError, APIError, UnsafeUploadUrlError):
            # Whether the network or the picture is at fault shows in the confirm, which counts.
            pass
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


def _send(
    submission_id: UUID | str,
    kind: Literal["video", "thumbnail"],
    outgoing: Outgoing,
    policy: RetryPolicy,
) -> Flow[StoredObject]:
    sending = False

    def attempt() -> Flow[StoredObject]:
        nonlocal sending
        sending = False
        try:
            ticket = yield from endpoints.upload_urls(submission_id, only=kind)
        except AlreadyUploadedError:
            return (yield from _as_stored(outgoing))
        target = ticket.video if kind == "video" else ticket.thumbnail
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
