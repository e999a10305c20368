"""Notifications: what others did that one should know of, until it is read."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from cadenza_server.context import ContextDep, SignedInRoute, base_url
from cadenza_server.documentation import PAGE_HEADERS, refusals
from cadenza_server.listing import PageQuery
from cadenza_server.notifying import load_notifications, read_all, read_notification
from cadenza_server.pagination import add_page_headers
from cadenza_server.schemas_thread import NotificationOut
from cadenza_server.tables import Notification

router = APIRouter(prefix="/notifications", tags=["notifications"], route_class=SignedInRoute)


class NotificationsQuery(PageQuery):
    """All of them, or only those that are unread (or read)."""

    unread: bool | None = None


@router.get("", responses={**PAGE_HEADERS, **refusals("invalid")})
def list_own(
    ctx: ContextDep,
    request: Request,
    response: Response,
    query: Annotated[NotificationsQuery, Query()],
) -> list[NotificationOut]:
    """What one was told, the newest first."""
    with ctx.db.reading() as session:
        page = load_notifications(
            session, ctx.actor.id, unread=query.unread, limit=query.limit, cursor=query.cursor
        )
    add_page_headers(
        request, response, base=base_url(request), total=page.total, next_cursor=page.next_cursor
    )
    return [_to_wire(row) for row in page.rows]


@router.patch("/{notification_id}/read", responses=refusals("invalid_id", "not_found", "forbidden"))
def read_one(ctx: ContextDep, notification_id: UUID) -> NotificationOut:
    """Say that one has read it; the first time counts."""
    return _to_wire(read_notification(ctx, notification_id))


@router.post("/read-all", status_code=204, responses=refusals())
def read_everything(ctx: ContextDep) -> None:
    """Say that one has read all of them."""
    read_all(ctx)


def _to_wire(row: Notification) -> NotificationOut:
    return NotificationOut(**row.model_dump(exclude={"user_id", "event_id", "actor_id"}))
