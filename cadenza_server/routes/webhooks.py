"""`/webhooks`: where one's events are posted, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import func, insert
from sqlmodel import col, select

from cadenza_server.access import Actor
from cadenza_server.context import Context, ContextDep, SignedInRoute, base_url
from cadenza_server.database import Session
from cadenza_server.documentation import PAGE_HEADERS, refusals
from cadenza_server.errors import ApiError
from cadenza_server.outbox import delivery_row, ping_event
from cadenza_server.pagination import SortKey, add_page_headers, after, read_cursor, write_cursor
from cadenza_server.schemas_webhooks import DeliveryOut, NewWebhook, WebhookCreated, WebhookOut
from cadenza_server.tables import Event, Webhook, WebhookDelivery, metadata
from cadenza_server.webhooks.addresses import check_url
from cadenza_server.webhooks.signing import new_seed, secret_of

router = APIRouter(prefix="/webhooks", tags=["webhooks"], route_class=SignedInRoute)
MAX_PER_USER = 10
_ONE = ("invalid_id", "not_found", "forbidden")
_NEWEST_EVENT_FIRST = SortKey(col(Event.seq), descending=True)
_ID = SortKey(col(WebhookDelivery.id), descending=True)


@router.get("", responses=refusals())
def list_webhooks(ctx: ContextDep) -> list[WebhookOut]:
    """One's own webhooks, oldest first."""
    own = col(Webhook.owner_id) == ctx.actor.id
    query = select(Webhook).where(own).order_by(col(Webhook.created_at), col(Webhook.id))
    with ctx.db.reading() as session:
        return [WebhookOut(**hook.model_dump()) for hook in session.exec(query)]


@router.post(
    "", status_code=201, responses=refusals("invalid", "url_not_allowed", "quota_exceeded")
)
def create_webhook(ctx: ContextDep, body: NewWebhook) -> WebhookCreated:
    """Have one's events posted to an address, signed per Standard Webhooks.

    The address must be `https` and on the public internet; every address its name resolves to is
    checked at every attempt. The secret is shown in this answer and never again.
    """
    check_url(body.url, dev=ctx.settings.is_dev)
    keyring = ctx.services.keyring
    with ctx.db.writing() as session:
        own = select(func.count()).where(col(Webhook.owner_id) == ctx.actor.id)
        if session.execute(own).scalar_one() >= MAX_PER_USER:
            raise ApiError("quota_exceeded", f"At most {MAX_PER_USER} webhooks.")
        hook = Webhook(
            owner_id=ctx.actor.id,
            url=body.url,
            secret=new_seed(keyring),
            event_types=list(dict.fromkeys(body.event_types)),
            created_at=ctx.now(),
        )
        session.add(hook)
        session.flush()
        return WebhookCreated(
            **hook.model_dump(exclude={"secret"}), secret=secret_of(keyring, hook.secret)
        )


@router.delete("/{webhook_id}", status_code=204, responses=refusals(*_ONE))
def delete_webhook(ctx: ContextDep, webhook_id: UUID) -> None:
    """Stop posting; what is on its way is dropped."""
    with ctx.db.writing() as session:
        session.delete(_load(session, ctx.actor, webhook_id))
        session.flush()


@router.post("/{webhook_id}/test", status_code=202, responses=refusals(*_ONE))
def send_test(ctx: ContextDep, webhook_id: UUID) -> DeliveryOut:
    """Post an event `webhook.test`, once. If it arrives, a disabled webhook is on again."""
    with ctx.db.writing() as session:
        _load(session, ctx.actor, webhook_id)
        event_id = ping_event(session, ctx.now(), ctx.actor.id, webhook_id)
        return _enqueue(session, ctx, webhook_id, event_id)


@router.get("/{webhook_id}/deliveries", responses={**PAGE_HEADERS, **refusals(*_ONE, "invalid")})
def list_deliveries(
    ctx: ContextDep,
    webhook_id: UUID,
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=500, description="items a page")] = 100,
    cursor: Annotated[
        str | None, Query(max_length=1000, description="from the `Link` header; opaque")
    ] = None,
) -> list[DeliveryOut]:
    """What was posted and what waits, newest event first. Kept for 30 days."""
    of_hook = col(WebhookDelivery.webhook_id) == webhook_id
    keys = (_NEWEST_EVENT_FIRST, _ID)
    query = _deliveries().where(of_hook).order_by(*(key.ordered for key in keys))
    if cursor is not None:
        query = query.where(after(keys, read_cursor(cursor, (int, UUID))))
    with ctx.db.reading() as session:
        _load(session, ctx.actor, webhook_id)
        total = session.execute(select(func.count()).where(of_hook)).scalar_one()
        rows = session.execute(query.limit(limit + 1)).all()
    shown = rows[:limit]
    more = write_cursor((shown[-1].seq, shown[-1][0].id)) if len(rows) > limit else None
    add_page_headers(request, response, base=base_url(request), total=total, next_cursor=more)
    return [_delivery_out(row) for row in shown]


@router.post("/deliveries/{delivery_id}/replay", status_code=202, responses=refusals(*_ONE))
def replay_delivery(ctx: ContextDep, delivery_id: UUID) -> DeliveryOut:
    """Post the same event again, as a new delivery; the receiver tells repeats by its id."""
    with ctx.db.writing() as session:
        delivery = session.get(WebhookDelivery, delivery_id)
        if delivery is None:
            raise ApiError("not_found", "There is no such delivery.")
        _load(session, ctx.actor, delivery.webhook_id)
        return _enqueue(session, ctx, delivery.webhook_id, delivery.event_id)


def _load(session: Session, actor: Actor, webhook_id: UUID) -> Webhook:
    hook = session.get(Webhook, webhook_id)
    if hook is None:
        raise ApiError("not_found", "There is no such webhook.")
    if hook.owner_id != actor.id:
        raise ApiError("forbidden")
    return hook


def _enqueue(session: Session, ctx: Context, webhook_id: UUID, event_id: str) -> DeliveryOut:
    values = delivery_row(webhook_id, event_id, ctx.now())
    session.core.execute(insert(metadata.tables["webhook_deliveries"]), values)
    here = col(WebhookDelivery.id) == values["id"]
    return _delivery_out(session.execute(_deliveries().where(here)).one())


def _deliveries() -> Any:
    return select(WebhookDelivery, col(Event.type), col(Event.seq)).join(
        Event, col(Event.id) == WebhookDelivery.event_id
    )


def _delivery_out(row: Any) -> DeliveryOut:
    delivery, kind = row[0], row[1]
    fields = delivery.model_dump()
    if delivery.status != "pending":
        fields["next_at"] = None
    return DeliveryOut(**fields, event_type=kind)
