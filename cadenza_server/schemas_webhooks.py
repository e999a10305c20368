"""The wire of webhooks and their deliveries."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from cadenza_server.announcements import EventType
from cadenza_server.clock import Timestamp


class NewWebhook(BaseModel):
    """Where one's events are to be posted."""

    model_config = ConfigDict(extra="ignore")

    url: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)] = (
        Field(examples=["https://hooks.example.org/cadenza"])
    )
    event_types: list[EventType] = Field(
        default_factory=list, max_length=50, description="empty: all but `notification.created`"
    )


class WebhookOut(BaseModel):
    """A webhook; its secret is shown once, when it is made."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    url: str
    event_types: list[str]
    active: bool
    disabled_reason: Literal["gone", "failing", "secret_lost"] | None = Field(
        description="why nothing is posted any more; a test that succeeds switches it on again"
    )
    created_at: Timestamp


class WebhookCreated(WebhookOut):
    """A new webhook, with what its receiver verifies signatures by."""

    secret: str = Field(
        repr=False,
        description="shown only now; for any library of Standard Webhooks",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="],
    )


class DeliveryOut(BaseModel):
    """One event on its way to one webhook."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    webhook_id: UUID
    event_id: str
    event_type: str
    status: Literal["pending", "delivered", "failed"]
    attempt: int = Field(description="how often it was tried")
    response_code: int | None = Field(description="the HTTP status of the last attempt")
    error_code: str | None = Field(
        description="why the last attempt failed: not_reachable, address_not_allowed, "
        "certificate_refused, timed_out, no_answer, redirected, refused, gone, secret_lost"
    )
    next_at: Timestamp | None = Field(description="when it is tried next")
    created_at: Timestamp
    finished_at: Timestamp | None
