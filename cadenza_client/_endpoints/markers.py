"""Markers at moments of a video."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from cadenza_client._answers import nothing, one, rows, text
from cadenza_client._call import Call
from cadenza_client._endpoints._build import LIST_BYTES, body, changes, path, query
from cadenza_client.models import Marker, MarkerChanges, NewMarker

__all__ = [
    "create",
    "create_on_message",
    "delete",
    "export",
    "list_of_message",
    "list_of_submission",
    "set_status",
    "update",
]

_ROUTE = "/markers/{}"
_ON_TAKE = "/video-submissions/{}/markers"
_ON_MESSAGE = "/messages/{}/markers"
_MEDIA_TYPES = {"vtt": "text/vtt", "csv": "text/csv", "json": "application/json"}


def list_of_submission(
    submission_id: UUID | str, *, include_messages: bool = False
) -> Call[list[Marker]]:
    """`GET /video-submissions/{id}/markers?include=messages`."""
    return Call(
        "GET",
        path(_ON_TAKE, submission_id),
        rows(Marker),
        query=query(include="messages" if include_messages else None),
        idempotent=True,
        max_answer_bytes=LIST_BYTES,
    )


def list_of_message(message_id: UUID | str) -> Call[list[Marker]]:
    """`GET /messages/{id}/markers`."""
    return Call(
        "GET",
        path(_ON_MESSAGE, message_id),
        rows(Marker),
        idempotent=True,
        max_answer_bytes=LIST_BYTES,
    )


def create(submission_id: UUID | str, new: NewMarker) -> Call[Marker]:
    """`POST /video-submissions/{id}/markers`; idempotent by `client_id`."""
    return _create(path(_ON_TAKE, submission_id), new)


def create_on_message(message_id: UUID | str, new: NewMarker) -> Call[Marker]:
    """`POST /messages/{id}/markers`; idempotent by `client_id`."""
    return _create(path(_ON_MESSAGE, message_id), new)


def _create(route: str, new: NewMarker) -> Call[Marker]:
    return Call("POST", route, one(Marker), body=body(new.model_dump()), idempotent=True)


def update(marker_id: UUID | str, changed: MarkerChanges) -> Call[Marker]:
    """`PATCH /markers/{id}` with what the author changes."""
    given = changes(changed.model_dump(exclude_unset=True))
    return Call("PATCH", path(_ROUTE, marker_id), one(Marker), body=given, idempotent=True)


def set_status(
    marker_id: UUID | str, status: str, *, settled_by: UUID | str | None = None
) -> Call[Marker]:
    """`PATCH /markers/{id}` with how far it is; either side may."""
    given = body({"status": status, "settled_by_submission_id": settled_by})
    return Call("PATCH", path(_ROUTE, marker_id), one(Marker), body=given, idempotent=True)


def delete(marker_id: UUID | str) -> Call[None]:
    """`DELETE /markers/{id}`; deleted twice is deleted."""
    return Call("DELETE", path(_ROUTE, marker_id), nothing, idempotent=True)


def export(submission_id: UUID | str, form: Literal["vtt", "csv", "json"]) -> Call[str]:
    """`GET /video-submissions/{id}/markers.vtt`, `.csv` or `.json`, as text."""
    return Call(
        "GET",
        path(_ON_TAKE + ".{}", submission_id, form),
        text,
        idempotent=True,
        accept=_MEDIA_TYPES[form],
        max_answer_bytes=LIST_BYTES,
    )
