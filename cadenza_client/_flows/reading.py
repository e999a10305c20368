"""Reading one submission, from a server of either profile, and asking the store about it."""

from __future__ import annotations

from uuid import UUID

from cadenza_client._call import Flow, ObjectFacts, ProbeObject, Walk
from cadenza_client._endpoints import submissions as endpoints
from cadenza_client.errors import APIError, NotFoundError, NotUploadedYetError
from cadenza_client.models import Submission

__all__ = ["get", "is_unknown_route", "stored_object"]


def get(submission_id: UUID | str) -> Flow[Submission]:
    """Read one submission; from a v1 server, which has no such route (B-26), by its list."""
    try:
        return (yield from endpoints.get(submission_id))
    except APIError as error:
        if not is_unknown_route(error):
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


def is_unknown_route(error: APIError) -> bool:
    """Whether the server does not know the route, rather than the thing asked for.

    A Cadenza server names a code with every refusal (W6); a framework's own 404 or 405 has none.
    """
    return error.code is None and error.status_code in (404, 405, 501)


def stored_object(submission_id: UUID | str) -> Flow[ObjectFacts | None]:
    """What the store has for a submission, asked through its playback URL (F000-57)."""
    try:
        playback = yield from endpoints.playback(submission_id)
    except NotUploadedYetError:
        return None
    return (yield from ProbeObject(playback.video_url))
