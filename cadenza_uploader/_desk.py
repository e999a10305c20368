"""Where a take is handed in at the server: as a submission, or as a reply in a thread.

Everything else of a take's way is the same for both: the queue, its stages, the store, the proof
and the licence to delete. What differs are the five questions asked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol
from uuid import UUID

from cadenza_uploader.take import Take

if TYPE_CHECKING:
    from cadenza_client import (
        CadenzaClient,
        MessageTicket,
        NewMessage,
        NewSubmission,
        Receipt,
        UploadTicket,
    )

__all__ = ["Desk", "HandedIn", "Proof", "announcement", "desk_for", "reply"]

_ARRIVED = frozenset({"uploaded", "ready"})


@dataclass(frozen=True, slots=True)
class HandedIn:
    """What the server made of an announcement.

    Attributes:
        server_id: its id there.
        arrived: whether the video is there already, so that only the receipt is missing here.
        ticket: where to send it.
    """

    server_id: str
    arrived: bool
    ticket: UploadTicket | MessageTicket


@dataclass(frozen=True, slots=True)
class Proof:
    """What the server says it has, and which profile it spoke."""

    receipt: Receipt
    profile: Literal["v1", "v2"]


class Desk(Protocol):
    """What a worker asks the server about one take."""

    def create(self, take: Take) -> HandedIn:
        """Announce it; the same take twice is one."""
        ...

    def urls(self, server_id: str) -> UploadTicket | MessageTicket:
        """Fresh addresses to send to."""
        ...

    def confirm(self, take: Take, server_id: str, md5: str | None) -> Proof:
        """Have the server compare what arrived."""
        ...

    def state(self, server_id: str) -> str | None:
        """How far the server is with it."""
        ...

    def delete(self, server_id: str) -> None:
        """Take it back."""
        ...


def desk_for(client: CadenzaClient, take: Take) -> Desk:
    """The desk for this kind of take."""
    return _Replies(client) if take.kind == "message" else _Submissions(client)


class _Submissions:
    def __init__(self, client: CadenzaClient) -> None:
        self._client = client

    def create(self, take: Take) -> HandedIn:
        ticket = self._client.submissions.create(announcement(take), replay=take.create_sent)
        submission = ticket.submission
        assert submission is not None
        return HandedIn(str(submission.id), submission.media_state in _ARRIVED, ticket)

    def urls(self, server_id: str) -> UploadTicket:
        return self._client.submissions.upload_urls(server_id)

    def confirm(self, take: Take, server_id: str, md5: str | None) -> Proof:
        confirmation = self._client.submissions.confirm(
            server_id,
            size_bytes=take.video.size_bytes,
            sha256=take.video.sha256,
            md5=md5,
            thumbnail=_has_thumbnail(take),
        )
        return Proof(confirmation.receipt, confirmation.profile)

    def state(self, server_id: str) -> str | None:
        return self._client.submissions.get(server_id).media_state

    def delete(self, server_id: str) -> None:
        self._client.submissions.delete(server_id)


class _Replies:
    def __init__(self, client: CadenzaClient) -> None:
        self._client = client

    def create(self, take: Take) -> HandedIn:
        assert take.context.parent_submission_id is not None
        ticket = self._client.messages.create(take.context.parent_submission_id, reply(take))
        message = ticket.message
        assert message is not None
        return HandedIn(str(message.id), message.media_state in _ARRIVED, ticket)

    def urls(self, server_id: str) -> MessageTicket:
        return self._client.messages.upload_urls(server_id)

    def confirm(self, take: Take, server_id: str, md5: str | None) -> Proof:
        # A server that knows messages confirms them: there is no v1 proof to be made by MD5.
        del md5
        confirmation = self._client.messages.confirm(
            server_id,
            size_bytes=take.video.size_bytes,
            sha256=take.video.sha256,
            thumbnail=_has_thumbnail(take),
        )
        return Proof(confirmation.receipt, "v2")

    def state(self, server_id: str) -> str | None:
        message = self._client.messages.get(server_id)
        return "deleted" if message.deleted_at is not None else message.media_state

    def delete(self, server_id: str) -> None:
        self._client.messages.delete(server_id)


def announcement(take: Take) -> NewSubmission:
    """The create request: the client's own id makes it idempotent (B-19)."""
    from cadenza_client import NewSubmission

    return NewSubmission(
        id=UUID(take.id),
        duration_seconds=take.duration_seconds,
        piece_id=_uuid(take.context.piece_id),
        exercise_id=_uuid(take.context.exercise_id),
        session_id=_uuid(take.context.session_id),
        notes=take.context.notes,
        page_number=take.context.page_number,
        measure_number=take.context.measure_number,
        measure_end=take.context.measure_end,
        size_bytes=take.video.size_bytes,
        sha256=take.video.sha256,
        width=take.width,
        height=take.height,
        captured_at=take.captured_at.replace(microsecond=0),
        thumbnail_size_bytes=take.thumbnail.size_bytes if take.thumbnail else None,
    )


def reply(take: Take) -> NewMessage:
    """The same for a reply; its notes are what it says."""
    from cadenza_client import NewMessage

    return NewMessage(
        id=UUID(take.id),
        text=take.context.notes,
        include_video=True,
        video_duration_seconds=take.duration_seconds,
        page_number=take.context.page_number,
        measure_number=take.context.measure_number,
        size_bytes=take.video.size_bytes,
        sha256=take.video.sha256,
        width=take.width,
        height=take.height,
        thumbnail_size_bytes=take.thumbnail.size_bytes if take.thumbnail else None,
    )


def _has_thumbnail(take: Take) -> bool:
    return bool(take.thumbnail and take.thumbnail.stored)


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None
