"""Submissions, from the announcement to the receipt, and the teacher's queue."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import pydantic

from cadenza_client._answers import nothing, one, rows
from cadenza_client._call import Answer, Call, Page
from cadenza_client._endpoints._build import LIST_BYTES, body, pages, path, query
from cadenza_client._endpoints._issued import Issued, as_uuid
from cadenza_client.errors import ResponseError
from cadenza_client.models import (
    Confirmation,
    NewSubmission,
    Playback,
    QueueItem,
    Receipt,
    Submission,
    UploadEvent,
    UploadTicket,
)

__all__ = [
    "confirm",
    "create",
    "delete",
    "events",
    "get",
    "list_mine",
    "list_of_student",
    "mark_reviewed",
    "playback",
    "reopen",
    "review_queue",
    "upload_urls",
]

_ROUTE = "/video-submissions"


class _Issued(Issued):
    submission: Submission | None = None

    def ticket(self, answer: Answer, submission_id: UUID | None) -> UploadTicket:
        s3_key = None if self.submission is None else self.submission.s3_key
        return UploadTicket(
            submission=self.submission,
            video=self.video(s3_key=s3_key, asset_id=submission_id),
            thumbnail=self.thumbnail(asset_id=submission_id),
            received_at_monotonic=answer.received_at_monotonic,
        )


def create(new: NewSubmission) -> Call[UploadTicket]:
    """`POST /video-submissions`.

    Not marked idempotent: with an id it is, but only for a server that knows ids, and which kind
    of server this is shows in the answer. `_flows.submissions.create` repeats it with care.
    """

    def read(answer: Answer) -> UploadTicket:
        issued = one(_Issued)(answer)
        if issued.submission is None:
            raise ResponseError("the answer cannot be read: submission: missing")
        return issued.ticket(answer, issued.submission.id)

    return Call("POST", _ROUTE, read, body=body(new.model_dump()))


def list_mine(
    *,
    exercise_id: UUID | str | None = None,
    piece_id: UUID | str | None = None,
    session_id: UUID | str | None = None,
    media_state: str | None = None,
    reviewed: bool | None = None,
    page_size: int | None = None,
) -> Call[Page[Submission]]:
    """`GET /video-submissions`."""
    parameters = query(
        exercise_id=exercise_id,
        piece_id=piece_id,
        session_id=session_id,
        media_state=media_state,
        reviewed=reviewed,
        limit=page_size,
    )
    return pages(Submission, _ROUTE, parameters)


def list_of_student(
    student_id: int,
    *,
    pending_review: bool | None = None,
    piece_id: UUID | str | None = None,
    exercise_id: UUID | str | None = None,
    media_state: str | None = None,
    page_size: int | None = None,
) -> Call[Page[Submission]]:
    """`GET /students/{id}/video-submissions`."""
    parameters = query(
        pending_review=pending_review,
        piece_id=piece_id,
        exercise_id=exercise_id,
        media_state=media_state,
        limit=page_size,
    )
    return pages(Submission, path("/students/{}/video-submissions", student_id), parameters)


def get(submission_id: UUID | str) -> Call[Submission]:
    """`GET /video-submissions/{id}`."""
    return Call("GET", path(_ROUTE + "/{}", submission_id), one(Submission), idempotent=True)


def upload_urls(
    submission_id: UUID | str, *, only: Literal["video", "thumbnail"] | None = None
) -> Call[UploadTicket]:
    """`GET /video-submissions/{id}/upload-url`."""

    def read(answer: Answer) -> UploadTicket:
        issued = one(_Issued)(answer)
        return issued.ticket(answer, as_uuid(submission_id)).model_copy(update={"submission": None})

    return Call(
        "GET",
        path(_ROUTE + "/{}/upload-url", submission_id),
        read,
        query=query(only=only),
        idempotent=True,
    )


def confirm(
    submission_id: UUID | str,
    *,
    size_bytes: int,
    sha256: str | None,
    thumbnail: bool,
    reply_seconds: float | None = None,
) -> Call[Confirmation]:
    """`POST /video-submissions/{id}/confirm`; idempotent by itself."""

    def read(answer: Answer) -> Confirmation:
        said = one(_Confirmed)(answer)
        return Confirmation(submission=said.submission, receipt=said.receipt, profile="v2")

    given = {"size_bytes": size_bytes, "sha256": sha256, "thumbnail": thumbnail}
    return Call(
        "POST",
        path(_ROUTE + "/{}/confirm", submission_id),
        read,
        body=body(given),
        idempotent=True,
        reply_seconds=reply_seconds,
    )


class _Confirmed(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(hide_input_in_errors=True)

    submission: Submission
    receipt: Receipt


def playback(submission_id: UUID | str, *, download: bool = False) -> Call[Playback]:
    """`GET /video-submissions/{id}/video-url`."""
    return Call(
        "GET",
        path(_ROUTE + "/{}/video-url", submission_id),
        one(Playback),
        query=query(download=True if download else None),
        idempotent=True,
    )


def mark_reviewed(submission_id: UUID | str) -> Call[Submission]:
    """`PATCH /video-submissions/{id}/reviewed`; the first review stands (B-22)."""
    route = path(_ROUTE + "/{}/reviewed", submission_id)
    return Call("PATCH", route, one(Submission), idempotent=True)


def reopen(submission_id: UUID | str) -> Call[Submission]:
    """`DELETE /video-submissions/{id}/reviewed`."""
    route = path(_ROUTE + "/{}/reviewed", submission_id)
    return Call("DELETE", route, one(Submission), idempotent=True)


def delete(submission_id: UUID | str) -> Call[None]:
    """`DELETE /video-submissions/{id}`; deleted twice is deleted."""
    return Call("DELETE", path(_ROUTE + "/{}", submission_id), nothing, idempotent=True)


def events(submission_id: UUID | str) -> Call[list[UploadEvent]]:
    """`GET /video-submissions/{id}/events`."""
    return Call(
        "GET",
        path(_ROUTE + "/{}/events", submission_id),
        rows(UploadEvent),
        idempotent=True,
        max_answer_bytes=LIST_BYTES,
    )


def review_queue(*, sort: str, page_size: int | None = None) -> Call[Page[QueueItem]]:
    """`GET /review-queue`."""
    return pages(QueueItem, "/review-queue", query(sort=sort, limit=page_size))
