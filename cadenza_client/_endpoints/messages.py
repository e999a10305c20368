"""The messages of a thread, from the announcement to the receipt, and what is unread."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import pydantic

from cadenza_client._answers import nothing, one, rows
from cadenza_client._call import Answer, Call
from cadenza_client._endpoints._build import LIST_BYTES, body, path, query
from cadenza_client._endpoints._issued import Issued, as_uuid
from cadenza_client.errors import ResponseError
from cadenza_client.models import (
    Message,
    MessageConfirmation,
    MessageTicket,
    NewMessage,
    Playback,
    Receipt,
    Unread,
)

__all__ = [
    "confirm",
    "create",
    "delete",
    "edit",
    "get",
    "list_of_submission",
    "mark_read",
    "playback",
    "unread",
    "upload_urls",
]

_ROUTE = "/messages/{}"
_THREAD = "/video-submissions/{}/messages"


class _Issued(Issued):
    message: Message | None = None

    def ticket(self, answer: Answer, message_id: UUID | None) -> MessageTicket:
        # By the id: a video that is not an MP4 yet goes to another key than the message's own.
        return MessageTicket(
            message=self.message,
            video=self.video(s3_key=None, asset_id=message_id),
            thumbnail=self.thumbnail(asset_id=message_id),
            received_at_monotonic=answer.received_at_monotonic,
        )


class _Confirmed(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(hide_input_in_errors=True)

    message: Message
    receipt: Receipt


def create(submission_id: UUID | str, new: NewMessage) -> Call[MessageTicket]:
    """`POST /video-submissions/{id}/messages`; idempotent by the message's own id."""

    def read(answer: Answer) -> MessageTicket:
        issued = one(_Issued)(answer)
        if issued.message is None:
            raise ResponseError("the answer cannot be read: message: missing")
        if issued.message.id != new.id:
            # A server that answers with another id has forgotten the key it promised (S04).
            raise ResponseError("the server made a message with another id than it was given")
        return issued.ticket(answer, issued.message.id)

    return Call(
        "POST",
        path(_THREAD, submission_id),
        read,
        body=body(new.model_dump()),
        idempotent=True,
    )


def list_of_submission(submission_id: UUID | str) -> Call[list[Message]]:
    """`GET /video-submissions/{id}/messages`."""
    return Call(
        "GET",
        path(_THREAD, submission_id),
        rows(Message),
        idempotent=True,
        max_answer_bytes=LIST_BYTES,
    )


def get(message_id: UUID | str) -> Call[Message]:
    """`GET /messages/{id}`."""
    return Call("GET", path(_ROUTE, message_id), one(Message), idempotent=True)


def upload_urls(
    message_id: UUID | str, *, only: Literal["video", "thumbnail"] | None = None
) -> Call[MessageTicket]:
    """`GET /messages/{id}/upload-url`."""

    def read(answer: Answer) -> MessageTicket:
        ticket = one(_Issued)(answer).ticket(answer, as_uuid(message_id))
        return ticket.model_copy(update={"message": None})

    route = path(_ROUTE + "/upload-url", message_id)
    return Call("GET", route, read, query=query(only=only), idempotent=True)


def confirm(
    message_id: UUID | str,
    *,
    size_bytes: int,
    sha256: str | None,
    thumbnail: bool,
    reply_seconds: float | None = None,
) -> Call[MessageConfirmation]:
    """`POST /messages/{id}/confirm`; idempotent by itself."""

    def read(answer: Answer) -> MessageConfirmation:
        said = one(_Confirmed)(answer)
        return MessageConfirmation(message=said.message, receipt=said.receipt)

    given = {"size_bytes": size_bytes, "sha256": sha256, "thumbnail": thumbnail}
    return Call(
        "POST",
        path(_ROUTE + "/confirm", message_id),
        read,
        body=body(given),
        idempotent=True,
        reply_seconds=reply_seconds,
    )


def playback(message_id: UUID | str, *, download: bool = False) -> Call[Playback]:
    """`GET /messages/{id}/video-url`."""
    return Call(
        "GET",
        path(_ROUTE + "/video-url", message_id),
        one(Playback),
        query=query(download=True if download else None),
        idempotent=True,
    )


def mark_read(message_id: UUID | str) -> Call[Message]:
    """`PATCH /messages/{id}/read`; the first time stands."""
    return Call("PATCH", path(_ROUTE + "/read", message_id), one(Message), idempotent=True)


def edit(message_id: UUID | str, text: str) -> Call[Message]:
    """`PATCH /messages/{id}`; the same text twice is the same text."""
    return Call(
        "PATCH",
        path(_ROUTE, message_id),
        one(Message),
        body=body({"text": text}),
        idempotent=True,
    )


def delete(message_id: UUID | str) -> Call[None]:
    """`DELETE /messages/{id}`; deleted twice is deleted."""
    return Call("DELETE", path(_ROUTE, message_id), nothing, idempotent=True)


def unread() -> Call[Unread]:
    """`GET /unread`."""
    return Call("GET", "/unread", one(Unread), idempotent=True)
