"""Announcing a take so that there is only one submission of it, whatever answers are lost.

A v2 server knows the id we give it, and the question can simply be asked again. A v1 server (seed
000 as written) makes the ids itself: after a lost answer we look before we create again.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from cadenza_client._call import Flow, Repeat, Walk
from cadenza_client._endpoints import identity
from cadenza_client._endpoints import submissions as endpoints
from cadenza_client._flows.reading import is_unknown_route, stored_object
from cadenza_client._retry import RetryPolicy, Wait, decide_call
from cadenza_client.errors import (
    APIError,
    ResponseError,
    ServerError,
    StorageError,
    TransportError,
)
from cadenza_client.models import NewSubmission, Submission, UploadTicket

__all__ = ["create"]

_MOST_LOOKED_AT = 20
"""How many look-alikes of a lost create are examined; each costs two requests."""


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
        if is_unknown_route(error):
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
                if (yield from stored_object(candidate.id)) is None:
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
