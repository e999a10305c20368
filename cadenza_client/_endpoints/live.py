"""Notifications, webhooks, and the stream of events."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from cadenza_client._answers import nothing, one, rows
from cadenza_client._call import Call, Page
from cadenza_client._endpoints._build import body, pages, path, query
from cadenza_client.models import Notification, Webhook, WebhookDelivery

__all__ = [
    "create_webhook",
    "delete_webhook",
    "event_stream",
    "list_deliveries",
    "list_notifications",
    "list_webhooks",
    "mark_all_notifications_read",
    "mark_notification_read",
    "replay_delivery",
    "send_test",
]


def list_notifications(
    *, unread: bool | None = None, page_size: int | None = None
) -> Call[Page[Notification]]:
    """`GET /notifications`."""
    return pages(Notification, "/notifications", query(unread=unread, limit=page_size))


def mark_notification_read(notification_id: UUID | str) -> Call[Notification]:
    """`PATCH /notifications/{id}/read`; the first time stands."""
    route = path("/notifications/{}/read", notification_id)
    return Call("PATCH", route, one(Notification), idempotent=True)


def mark_all_notifications_read() -> Call[None]:
    """`POST /notifications/read-all`."""
    return Call("POST", "/notifications/read-all", nothing, idempotent=True)


def list_webhooks() -> Call[list[Webhook]]:
    """`GET /webhooks`."""
    return Call("GET", "/webhooks", rows(Webhook), idempotent=True)


def create_webhook(url: str, *, event_types: Collection[str] = ()) -> Call[Webhook]:
    """`POST /webhooks`. Repeating it after a lost answer could make a second one."""
    given = {"url": url, "event_types": sorted(event_types) or None}
    return Call("POST", "/webhooks", one(Webhook), body=body(given))


def delete_webhook(webhook_id: UUID | str) -> Call[None]:
    """`DELETE /webhooks/{id}`; deleted twice is deleted."""
    return Call("DELETE", path("/webhooks/{}", webhook_id), nothing, idempotent=True)


def send_test(webhook_id: UUID | str) -> Call[WebhookDelivery]:
    """`POST /webhooks/{id}/test`."""
    return Call("POST", path("/webhooks/{}/test", webhook_id), one(WebhookDelivery))


def list_deliveries(
    webhook_id: UUID | str, *, page_size: int | None = None
) -> Call[Page[WebhookDelivery]]:
    """`GET /webhooks/{id}/deliveries`."""
    route = path("/webhooks/{}/deliveries", webhook_id)
    return pages(WebhookDelivery, route, query(limit=page_size))


def replay_delivery(delivery_id: UUID | str) -> Call[WebhookDelivery]:
    """`POST /webhooks/deliveries/{id}/replay`."""
    return Call("POST", path("/webhooks/deliveries/{}/replay", delivery_id), one(WebhookDelivery))


_SILENCE_SECONDS = 45.0
"""The server says something every 15 seconds; three times nothing is a dead connection."""


def event_stream(last_id: str | None) -> Call[None]:
    """`GET /events/stream`, going on after an event; its body is read as it comes."""
    return Call(
        "GET",
        "/events/stream",
        nothing,
        headers=() if last_id is None else (("Last-Event-ID", last_id),),
        idempotent=True,
        reply_seconds=_SILENCE_SECONDS,
        accept="text/event-stream",
    )
