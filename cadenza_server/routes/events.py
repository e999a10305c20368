"""`/events/stream`: what happens, as it happens."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response

from cadenza_server.context import ContextDep, SignedInRoute
from cadenza_server.documentation import refusals
from cadenza_server.event_stream import EventStream

router = APIRouter(prefix="/events", tags=["events"], route_class=SignedInRoute)
_MAX = 2**63 - 1
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events, until one side ends it",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": "id: 912\nevent: submission.uploaded\n"
                'data: {"id":"evt_6f0c…","type":"submission.uploaded",'
                '"timestamp":"2026-11-20T17:10:11Z",'
                '"data":{"submission_id":"6f0c…","user_id":7}}\n\n',
            }
        },
    }
}


@router.get(
    "/stream",
    response_class=Response,  # what is described as JSON stays JSON: the refusals
    status_code=200,
    responses={**_STREAM, **refusals("invalid", "rate_limited")},
)
async def stream(
    ctx: ContextDep,
    after: Annotated[
        int | None, Query(ge=0, le=_MAX, description="the last number seen; 0 for all that is kept")
    ] = None,
    last_event_id: Annotated[
        str | None, Header(description="the same, as browsers send it when they reconnect")
    ] = None,
) -> Response:
    """Events one may hear of, from now on or after a number seen before.

    Each event has its number as `id`, its type as `event` and the event as JSON in `data`. A
    comment comes every 15 seconds when nothing else does. An event `stream.reset` says that some
    were missed for good: load everything again. Reconnect when the stream ends; it ends when the
    server shuts down, after an hour, and for readers who can't keep up.
    """
    user_id = (await ctx.run(lambda: ctx.actor)).id
    seen = last_event_id if last_event_id is not None else after
    return EventStream(ctx.services.feed, user_id, _number(seen))


def _number(seen: str | int | None) -> int | None:
    """A number of ours; anything else a client sends as `Last-Event-ID` is as good as none."""
    if seen is None or isinstance(seen, int):
        return seen
    is_ours = seen.isascii() and seen.isdigit() and int(seen[:20]) <= _MAX
    return int(seen) if is_ours else None
