"""`/notifications`: what happened while one was away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlmodel import col, select

from cadenza_server.context import ContextDep
from cadenza_server.page.rendering import render
from cadenza_server.page.routing import BrowserPage
from cadenza_server.page.words import ago
from cadenza_server.tables import Notification

#: `GET /notifications` is also the API's list: this router must be asked first.
router = APIRouter(route_class=BrowserPage, include_in_schema=False)
ROWS = 100
_PICTURES = {
    "submission.uploaded": "takes",
    "submission.reviewed": "check-all",
    "message.created": "message",
    "marker.created": "marker",
}


@dataclass(frozen=True)
class Notice:
    """One line."""

    id: UUID
    title: str
    body: str
    url: str
    picture: str
    at: datetime
    when: str
    is_read: bool


@router.get("/notifications")
def notifications(ctx: ContextDep, request: Request) -> Response:
    """The latest, unread or read."""
    query = (
        select(Notification)
        .where(col(Notification.user_id) == ctx.actor.id)
        .order_by(col(Notification.created_at).desc(), col(Notification.id))
        .limit(ROWS)
    )
    now = ctx.now()
    with ctx.db.reading() as session:
        notices = [
            Notice(
                id=one.id,
                title=one.title,
                body=one.body,
                url=one.url,
                picture=_PICTURES.get(one.type, "bell"),
                at=one.created_at,
                when=ago(one.created_at, now),
                is_read=one.read_at is not None,
            )
            for one in session.exec(query)
        ]
    return render(ctx, request, "notifications.html", notices=notices)
