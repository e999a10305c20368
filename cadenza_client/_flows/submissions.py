"""Announcing a take, sending it, and having it confirmed: against a v2 server and a v1 server.

A v1 server (seed 000 as written) makes the ids itself, knows no sizes, no checksums and no
confirm. What it lacks is done from this side, without taking its word for more than it says:
after a lost answer to a create we look before we create again, and in place of a confirm we ask
the store itself for the object.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Literal
from uuid import UUID

from cadenza_client._call import (
    Flow,
    ObjectFacts,
    Outgoing,
    ProbeObject,
    PutObject,
    Repeat,
    TakeFingerprint,
    Walk,
)
from cadenza_client._endpoints import identity
from cadenza_client._endpoints import submissions as endpoints
from cadenza_client._retry import RetryPolicy, Wait, decide_call, decide_upload
from cadenza_client.errors import (
    AlreadyUploadedError,
    APIError,
    ChecksumMismatchError,
    NotFoundError,
    NotUploadedYetError,
    ObjectExistsError,
    ResponseError,
    ServerError,
    SizeMismatchError,
    StorageError,
    TransportError,
    UnsafeUploadUrlError,
)
from cadenza_client.models import (
    Confirmation,
    NewSubmission,
    Receipt,
    StoredObject,
    Submission,
    UploadTicket,
)

__all__ = ["confirm", "create", "get", "upload"]

_MOST_LOOKED_AT = 20
"""How many look-alikes of a lost create are examined; each costs two requests."""


# ── create ─────────────────────────────────────────────────────────────────────────────────────


def create(
    new: NewSubmission,
    *,
    replay: bool,
    exclude_ids: Collection[UUID],
    policy: RetryPolicy,
) -> Flow[UploadTicket]:
    """Announce a take; after a lost answer, so that there is still only one (B-19).

    Args:
        new: the announcement.
        replay: an earlier call may have reached the server.
        exclude_ids: submissions that belong to other takes of this device.
        policy: how often to try within this call.
    """
    may_exist, unanswered = replay, False

    def attempt() -> Flow[UploadTicket]:
        nonlocal may_exist, unanswered
        unanswered = False
        if may_exist and not (yield from _keeps_our_ids(new)):
            found = yield from _find_lost(new, exclude_ids)
            if found is not None:
                ticket = yield from endpoints.upload_urls(found.id)
                return ticket.model_copy(update={"submission": found})
        try:
            return _checked((yield from endpoints.create(new)), new)
        except (TransportError, ResponseError, ServerError) as error:
            if not (isinstance(error, TransportError) and error.sent == "nothing"):
                may_exist = unanswered = True
            raise

    def decide(error: BaseException, attempts: int) -> Wait | None:
        # Only the question that got no answer is asked again; every other request in here has had
        # its own tries.
        return decide_call(error, attempts, idempotent=True, policy=policy) if unanswered else None

    return (yield from Repeat(attempt, decide))


def _checked(ticket: UploadTicket, new: NewSubmission) -> UploadTicket:
    made = ticket.submission
    is_v2 = made is not None and made.media_state is not None
    if made is not None and is_v2 and new.id is not None and made.id != new.id:
        # A v2 server that answers with another id has forgotten the key it promised (S04).
        raise ResponseError("the server made a submission with another id than it was given")
    return ticket


def _keeps_our_ids(new: NewSubmission) -> Flow[bool]:
    """Whether the same create twice is one submission: a v2 server, and an id to know it by."""
    if new.id is None:
        return False
    try:
        health = yield from identity.health()
    except APIError as error:
        if _is_unknown_route(error):
            return False
        raise
    return "v2" in health.profiles


def _find_lost(new: NewSubmission, exclude_ids: Collection[UUID]) -> Flow[Submission | None]:
    """The submission an unanswered create has made, if it has.

    It looks exactly as announced, has no review, belongs to no other take of ours, and **has no
    video yet**. The last point is the important one: a student plays the same exercise for the
    same 45 seconds every day, and taking yesterday's submission would put today's video over it.
    """
    walk = Walk(
        endpoints.list_mine(
            exercise_id=new.exercise_id, piece_id=new.piece_id, session_id=new.session_id
        )
    )
    looked_at = 0
    while walk.call is not None:
        page = yield from walk.call
        for candidate in page.items:
            if candidate.id == new.id:
                return candidate
            if candidate.id in exclude_ids or not _looks_like(candidate, new):
                continue
            if looked_at == _MOST_LOOKED_AT:
                return None
            looked_at += 1
            try:
                if (yield from _stored_object(candidate.id)) is None:
                    return candidate
            except (StorageError, APIError):
                # Cannot be told, so it is left alone: a second submission without a video is an
                # eyesore, a video sent over another one is a loss.
                continue
        walk.turn(page)
    return None


def _looks_like(candidate: Submission, new: NewSubmission) -> bool:
    return (
        candidate.reviewed_at is None
        and candidate.duration_seconds == new.duration_seconds
        and (candidate.notes or None) == (new.notes or None)
        and candidate.exercise_id == new.exercise_id
        and candidate.piece_id == new.piece_id
        and candidate.session_id == new.session_id
    )


def _stored_object(submission_id: UUID | str) -> Flow[ObjectFacts | None]:
    """What the store has for a submission, asked through its playback URL (F000-57)."""
    try:
        playback = yield from endpoints.playback(submission_id)
    except NotUploadedYetError:
        return None
    return (yield from ProbeObject(playback.video_url))


# ── get ────────────────────────────────────────────────────────────────────────────────────────


def get(submission_id: UUID | str) -> Flow[Submission]:
    """Read one submission; from a v1 server, which has no such route (B-26), by its list."""
    try:
        return (yield from endpoints.get(submission_id))
    except APIError as error:
        if not _is_unknown_route(error):
            raise
        refused = error
    walk = Walk(endpoints.list_mine())
    while walk.call is not None:
        page = yield from walk.call
        for submission in page.items:
            if str(submission.id) == str(submission_id).lower():
                return submission
        walk.turn(page)
    raise NotFoundError(refused.detail, status_code=404, request_id=refused.request_id)


def _is_unknown_route(error: APIError) -> bool:
    """Whether the server does not know the route, rather than the thing asked for.

    A Cadenza server names a code with every refusal (W6); a framework's own 404 or 405 has none.
    """
    return error.code is None and error.status_code in (404, 405, 501)


# ── confirm ────────────────────────────────────────────────────────────────────────────────────


def confirm(
    submission_id: UUID | str,
    *,
    size_bytes: int,
    sha256: str | None,
    md5: str | None,
    thumbnail: bool,
    reply_seconds: float | None,
) -> Flow[Confirmation]:
    """Have the server check what is stored; a v1 server's store is asked by ourselves."""
    try:
        return (
            yield from endpoints.confirm(
                submission_id,
                size_bytes=size_bytes,
                sha256=sha256,
                thumbnail=thumbnail,
                reply_seconds=reply_seconds,
            )
        )
    except APIError as error:
        if not _is_unknown_route(error):
            raise
    return (yield from _prove(submission_id, size_bytes=size_bytes, md5=md5))


def _prove(submission_id: UUID | str, *, size_bytes: int, md5: str | None) -> Flow[Confirmation]:
    facts = yield from _stored_object(submission_id)
    if facts is None:
        raise NotUploadedYetError(code="not_uploaded_yet", status_code=409)
    if facts.size_bytes != size_bytes:
        raise SizeMismatchError(
            code="size_mismatch",
            status_code=409,
            fields={"stored": facts.size_bytes, "announced": size_bytes},
        )
    verified: Literal["size", "md5"] = "size"
    if md5 is not None and facts.etag_is_md5 and facts.etag is not None:
        if facts.etag.strip('"').lower() != md5.lower():
            raise ChecksumMismatchError(code="checksum_mismatch", status_code=409)
        verified = "md5"
    submission = yield from get(submission_id)
    receipt = Receipt(
        asset_id=submission.id,
        s3_key=submission.s3_key,
        size_bytes=facts.size_bytes,
        etag=facts.etag,
        verified=verified,
        confirmed_at=_whole_second(facts.at),
    )
    return Confirmation(submission=submission, receipt=receipt, profile="v1")


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


# ── upload: urls, put, confirm ─────────────────────────────────────────────────────────────────


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
