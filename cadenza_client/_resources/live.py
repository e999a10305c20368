"""What happens, as it happens; what one has been told; and where it is posted to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from cadenza_client._config import ClientConfig
from cadenza_client._endpoints import live as endpoints
from cadenza_client._following import Following
from cadenza_client.models import LiveEvent, Notification, Webhook, WebhookDelivery

if TYPE_CHECKING:
    import builtins

    from cadenza_client._async import AsyncEngine
    from cadenza_client._sync import SyncEngine

__all__ = [
    "AsyncEvents",
    "AsyncNotifications",
    "AsyncWebhooks",
    "Events",
    "Notifications",
    "Webhooks",
]

_LARGEST_PAGE = 500


# ── synchronous ──────────────────────────────────────────────────────────────────────────────────


class Events:
    """What happens to the takes one may see."""

    def __init__(self, engine: SyncEngine, config: ClientConfig) -> None:
        self._engine = engine
        self._config = config

    def stream(
        self,
        *,
        after: int | str | None = None,
        types: Collection[str] = (),
        reconnect: bool = True,
    ) -> Iterator[LiveEvent]:
        """What happens, as it happens; it ends only when the caller stops.

        A connection that ends is opened again after the last event, with growing pauses, and
        nothing is missed. The first one is given up like any other request.

        Args:
            after: begin after this event (`LiveEvent.seq`), which may be long ago; by default
                with what happens from now on.
            types: only these, such as `submission.reviewed`; `message.*` for all that begin so.
            reconnect: False ends it with the first connection.

        Raises:
            AuthenticationError: sign in again.
            TransportError: the first connection could not be made.
            ResponseError: it is no stream of events as we know it.
        """
        return self._engine.follow(
            Following(after=after, types=types, reconnect=reconnect, policy=self._config.retry)
        )


class Notifications:
    """What the signed-in person is to be told."""

    def __init__(self, engine: SyncEngine) -> None:
        self._engine = engine

    def list(
        self, *, unread: bool | None = None, limit: int | None = None
    ) -> Iterator[Notification]:
        """Newest first; at most `limit` of them, only the unread ones if asked for."""
        page_size = None if limit is None else min(limit, _LARGEST_PAGE)
        return self._engine.iterate(
            endpoints.list_notifications(unread=unread, page_size=page_size), limit
        )

    def mark_read(self, notification_id: UUID | str) -> Notification:
        """One has seen it."""
        return self._engine.run(endpoints.mark_notification_read(notification_id))

    def mark_all_read(self) -> None:
        """One has seen them all."""
        return self._engine.run(endpoints.mark_all_notifications_read())


class Webhooks:
    """Addresses the signed-in person's events are posted to; see `verify_webhook`."""

    def __init__(self, engine: SyncEngine) -> None:
        self._engine = engine

    def list(self) -> builtins.list[Webhook]:
        """One's own webhooks, without their secrets."""
        return self._engine.run(endpoints.list_webhooks())

    def create(self, url: str, *, event_types: Collection[str] = ()) -> Webhook:
        """Have events posted to an address; the answer is the only one that holds the secret.

        Args:
            url: https, at a public address.
            event_types: only these; all if left out.

        Raises:
            ValidationError: the server does not post there, or knows no such type.
        """
        return self._engine.run(endpoints.create_webhook(url, event_types=event_types))

    def delete(self, webhook_id: UUID | str) -> None:
        """Stop posting."""
        return self._engine.run(endpoints.delete_webhook(webhook_id))

    def test(self, webhook_id: UUID | str) -> WebhookDelivery:
        """Have a test event posted."""
        return self._engine.run(endpoints.send_test(webhook_id))

    def deliveries(
        self, webhook_id: UUID | str, *, limit: int | None = None
    ) -> Iterator[WebhookDelivery]:
        """What was posted and what came of it, newest event first; at most `limit` of them."""
        page_size = None if limit is None else min(limit, _LARGEST_PAGE)
        return self._engine.iterate(
            endpoints.list_deliveries(webhook_id, page_size=page_size), limit
        )

    def replay(self, delivery_id: UUID | str) -> WebhookDelivery:
        """Post one event again."""
        return self._engine.run(endpoints.replay_delivery(delivery_id))


# ── asynchronous ─────────────────────────────────────────────────────────────────────────────────


class AsyncEvents:
    """What happens to the takes one may see."""

    def __init__(self, engine: AsyncEngine, config: ClientConfig) -> None:
        self._engine = engine
        self._config = config

    def stream(
        self,
        *,
        after: int | str | None = None,
        types: Collection[str] = (),
        reconnect: bool = True,
    ) -> AsyncIterator[LiveEvent]:
        """What happens, as it happens; it ends only when the caller stops.

        A connection that ends is opened again after the last event, with growing pauses, and
        nothing is missed. The first one is given up like any other request.

        Args:
            after: begin after this event (`LiveEvent.seq`), which may be long ago; by default
                with what happens from now on.
            types: only these, such as `submission.reviewed`; `message.*` for all that begin so.
            reconnect: False ends it with the first connection.

        Raises:
            AuthenticationError: sign in again.
            TransportError: the first connection could not be made.
            ResponseError: it is no stream of events as we know it.
        """
        return self._engine.follow(
            Following(after=after, types=types, reconnect=reconnect, policy=self._config.retry)
        )


class AsyncNotifications:
    """What the signed-in person is to be told."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def list(
        self, *, unread: bool | None = None, limit: int | None = None
    ) -> AsyncIterator[Notification]:
        """Newest first; at most `limit` of them, only the unread ones if asked for."""
        page_size = None if limit is None else min(limit, _LARGEST_PAGE)
        return self._engine.iterate(
            endpoints.list_notifications(unread=unread, page_size=page_size), limit
        )

    async def mark_read(self, notification_id: UUID | str) -> Notification:
        """One has seen it."""
        return await self._engine.run(endpoints.mark_notification_read(notification_id))

    async def mark_all_read(self) -> None:
        """One has seen them all."""
        return await self._engine.run(endpoints.mark_all_notifications_read())


class AsyncWebhooks:
    """Addresses the signed-in person's events are posted to; see `verify_webhook`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def list(self) -> builtins.list[Webhook]:
        """One's own webhooks, without their secrets."""
        return await self._engine.run(endpoints.list_webhooks())

    async def create(self, url: str, *, event_types: Collection[str] = ()) -> Webhook:
        """Have events posted to an address; the answer is the only one that holds the secret.

        Args:
            url: https, at a public address.
            event_types: only these; all if left out.

        Raises:
            ValidationError: the server does not post there, or knows no such type.
        """
        return await self._engine.run(endpoints.create_webhook(url, event_types=event_types))

    async def delete(self, webhook_id: UUID | str) -> None:
        """Stop posting."""
        return await self._engine.run(endpoints.delete_webhook(webhook_id))

    async def test(self, webhook_id: UUID | str) -> WebhookDelivery:
        """Have a test event posted."""
        return await self._engine.run(endpoints.send_test(webhook_id))

    def deliveries(
        self, webhook_id: UUID | str, *, limit: int | None = None
    ) -> AsyncIterator[WebhookDelivery]:
        """What was posted and what came of it, newest event first; at most `limit` of them."""
        page_size = None if limit is None else min(limit, _LARGEST_PAGE)
        return self._engine.iterate(
            endpoints.list_deliveries(webhook_id, page_size=page_size), limit
        )

    async def replay(self, delivery_id: UUID | str) -> WebhookDelivery:
        """Post one event again."""
        return await self._engine.run(endpoints.replay_delivery(delivery_id))
