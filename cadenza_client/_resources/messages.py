"""The thread of a submission: what teacher and student write and show each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from cadenza_client._call import Outgoing
from cadenza_client._config import ClientConfig
from cadenza_client._endpoints import messages as endpoints
from cadenza_client._flows.uploading import upload_message
from cadenza_client._source import MediaSource
from cadenza_client.models import (
    Message,
    MessageConfirmation,
    MessageTicket,
    NewMessage,
    Playback,
)

if TYPE_CHECKING:
    import builtins

    from cadenza_client._async import AsyncEngine
    from cadenza_client._sync import SyncEngine

__all__ = ["AsyncMessages", "Messages"]


# ── synchronous ──────────────────────────────────────────────────────────────────────────────────


class Messages:
    """What teacher and student say about a take."""

    def __init__(self, engine: SyncEngine, config: ClientConfig) -> None:
        self._engine = engine
        self._config = config

    def create(self, submission_id: UUID | str, new: NewMessage) -> MessageTicket:
        """Say something, and get the URLs to send its video to if it has one.

        The same `new` may be sent again and again: there is one message of its id. With a video
        the other side sees the text at once and the video when it is confirmed.

        Raises:
            ValidationError: neither text nor video, or too much of it.
            PermissionDeniedError: only the student and the present teacher may write here.
            IdConflictError: the id is taken by something else.
        """
        return self._engine.run(endpoints.create(submission_id, new))

    def list(self, submission_id: UUID | str) -> builtins.list[Message]:
        """The thread, oldest first; deleted messages stay as their empty places."""
        return self._engine.run(endpoints.list_of_submission(submission_id))

    def get(self, message_id: UUID | str) -> Message:
        """One message."""
        return self._engine.run(endpoints.get(message_id))

    def upload_urls(
        self,
        message_id: UUID | str,
        *,
        only: Literal["video", "thumbnail"] | None = None,
    ) -> MessageTicket:
        """Fresh URLs to send to. They are good for `expires_in` seconds: sign late (B-25).

        Raises:
            AlreadyUploadedError: it has arrived; confirm it.
        """
        return self._engine.run(endpoints.upload_urls(message_id, only=only))

    def upload(
        self,
        message_id: UUID | str,
        source: Path | MediaSource,
        *,
        content_type: str = "video/mp4",
        sha256: str | None = None,
        thumbnail: Path | MediaSource | None = None,
        progress: Callable[[int, int], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        rate_limit_bytes_per_second: int | None = None,
    ) -> MessageConfirmation:
        """Send a created message's video and have it confirmed, for programs with no queue.

        As `submissions.upload`: every try fetches its own URL, and a thumbnail that cannot be sent
        is left out.

        Raises:
            CadenzaError: what was left when the tries were used up; `retryable` says whether it
                is worth calling again.
        """
        video = Outgoing(
            source,
            content_type,
            sha256=sha256,
            progress=progress,
            cancel=cancel,
            rate_limit_bytes_per_second=rate_limit_bytes_per_second,
        )
        picture = None if thumbnail is None else Outgoing(thumbnail, "image/jpeg", cancel=cancel)
        return self._engine.run(
            upload_message(
                message_id,
                video,
                picture,
                policy=self._config.retry,
                reply_seconds=self._config.timeouts.reply_seconds,
            )
        )

    def confirm(
        self,
        message_id: UUID | str,
        *,
        size_bytes: int,
        sha256: str | None,
        thumbnail: bool = False,
    ) -> MessageConfirmation:
        """Have what is stored compared with what was sent, and get the receipt (I2).

        Raises:
            NotUploadedYetError: there is no object: send it.
            SizeMismatchError, ChecksumMismatchError: it is another one: send it again.
            TooLargeError, UnsupportedMediaError: the server does not take it.
        """
        return self._engine.run(
            endpoints.confirm(
                message_id,
                size_bytes=size_bytes,
                sha256=sha256,
                thumbnail=thumbnail,
                reply_seconds=self._config.timeouts.reply_seconds,
            )
        )

    def playback(self, message_id: UUID | str, *, download: bool = False) -> Playback:
        """Signed URLs to watch its video with, or to save it with (`download`).

        Raises:
            NotFoundError: it has no video.
            NotUploadedYetError: the video is still on its way, or being prepared.
        """
        return self._engine.run(endpoints.playback(message_id, download=download))

    def mark_read(self, message_id: UUID | str) -> Message:
        """One has read it; the first time stands, and of one's own messages nothing is noted."""
        return self._engine.run(endpoints.mark_read(message_id))

    def edit(self, message_id: UUID | str, text: str) -> Message:
        """Replace the text of one's own message, within 15 minutes.

        Raises:
            PermissionDeniedError: it is somebody else's, or too old.
        """
        return self._engine.run(endpoints.edit(message_id, text))

    def delete(self, message_id: UUID | str) -> None:
        """Take one's own message back; its empty place stays in the thread."""
        return self._engine.run(endpoints.delete(message_id))


# ── asynchronous ─────────────────────────────────────────────────────────────────────────────────


class AsyncMessages:
    """What teacher and student say about a take."""

    def __init__(self, engine: AsyncEngine, config: ClientConfig) -> None:
        self._engine = engine
        self._config = config

    async def create(self, submission_id: UUID | str, new: NewMessage) -> MessageTicket:
        """Say something, and get the URLs to send its video to if it has one.

        The same `new` may be sent again and again: there is one message of its id. With a video
        the other side sees the text at once and the video when it is confirmed.

        Raises:
            ValidationError: neither text nor video, or too much of it.
            PermissionDeniedError: only the student and the present teacher may write here.
            IdConflictError: the id is taken by something else.
        """
        return await self._engine.run(endpoints.create(submission_id, new))

    async def list(self, submission_id: UUID | str) -> builtins.list[Message]:
        """The thread, oldest first; deleted messages stay as their empty places."""
        return await self._engine.run(endpoints.list_of_submission(submission_id))

    async def get(self, message_id: UUID | str) -> Message:
        """One message."""
        return await self._engine.run(endpoints.get(message_id))

    async def upload_urls(
        self,
        message_id: UUID | str,
        *,
        only: Literal["video", "thumbnail"] | None = None,
    ) -> MessageTicket:
        """Fresh URLs to send to. They are good for `expires_in` seconds: sign late (B-25).

        Raises:
            AlreadyUploadedError: it has arrived; confirm it.
        """
        return await self._engine.run(endpoints.upload_urls(message_id, only=only))

    async def upload(
        self,
        message_id: UUID | str,
        source: Path | MediaSource,
        *,
        content_type: str = "video/mp4",
        sha256: str | None = None,
        thumbnail: Path | MediaSource | None = None,
        progress: Callable[[int, int], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        rate_limit_bytes_per_second: int | None = None,
    ) -> MessageConfirmation:
        """Send a created message's video and have it confirmed, for programs with no queue.

        As `submissions.upload`: every try fetches its own URL, and a thumbnail that cannot be sent
        is left out.

        Raises:
            CadenzaError: what was left when the tries were used up; `retryable` says whether it
                is worth calling again.
        """
        video = Outgoing(
            source,
            content_type,
            sha256=sha256,
            progress=progress,
            cancel=cancel,
            rate_limit_bytes_per_second=rate_limit_bytes_per_second,
        )
        picture = None if thumbnail is None else Outgoing(thumbnail, "image/jpeg", cancel=cancel)
        return await self._engine.run(
            upload_message(
                message_id,
                video,
                picture,
                policy=self._config.retry,
                reply_seconds=self._config.timeouts.reply_seconds,
            )
        )

    async def confirm(
        self,
        message_id: UUID | str,
        *,
        size_bytes: int,
        sha256: str | None,
        thumbnail: bool = False,
    ) -> MessageConfirmation:
        """Have what is stored compared with what was sent, and get the receipt (I2).

        Raises:
            NotUploadedYetError: there is no object: send it.
            SizeMismatchError, ChecksumMismatchError: it is another one: send it again.
            TooLargeError, UnsupportedMediaError: the server does not take it.
        """
        return await self._engine.run(
            endpoints.confirm(
                message_id,
                size_bytes=size_bytes,
                sha256=sha256,
                thumbnail=thumbnail,
                reply_seconds=self._config.timeouts.reply_seconds,
            )
        )

    async def playback(self, message_id: UUID | str, *, download: bool = False) -> Playback:
        """Signed URLs to watch its video with, or to save it with (`download`).

        Raises:
            NotFoundError: it has no video.
            NotUploadedYetError: the video is still on its way, or being prepared.
        """
        return await self._engine.run(endpoints.playback(message_id, download=download))

    async def mark_read(self, message_id: UUID | str) -> Message:
        """One has read it; the first time stands, and of one's own messages nothing is noted."""
        return await self._engine.run(endpoints.mark_read(message_id))

    async def edit(self, message_id: UUID | str, text: str) -> Message:
        """Replace the text of one's own message, within 15 minutes.

        Raises:
            PermissionDeniedError: it is somebody else's, or too old.
        """
        return await self._engine.run(endpoints.edit(message_id, text))

    async def delete(self, message_id: UUID | str) -> None:
        """Take one's own message back; its empty place stays in the thread."""
        return await self._engine.run(endpoints.delete(message_id))
