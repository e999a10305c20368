"""Submissions, from the announcement to the receipt, and the teacher's review queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from cadenza_client._call import Outgoing
from cadenza_client._config import ClientConfig
from cadenza_client._endpoints import submissions as endpoints
from cadenza_client._flows.confirming import confirm
from cadenza_client._flows.creating import create
from cadenza_client._flows.reading import get
from cadenza_client._flows.uploading import upload
from cadenza_client._source import MediaSource
from cadenza_client.models import (
    Confirmation,
    NewSubmission,
    Playback,
    QueueItem,
    Submission,
    UploadEvent,
    UploadTicket,
)

if TYPE_CHECKING:
    import builtins

    from cadenza_client._async import AsyncEngine
    from cadenza_client._sync import SyncEngine

__all__ = ["AsyncReview", "AsyncSubmissions", "Review", "Submissions"]

_LARGEST_PAGE = 500


# ── synchronous ────────────────────────────────────────────────────────────────────────────────


class Submissions:
    """A student's takes on the server."""

    def __init__(self, engine: SyncEngine, config: ClientConfig) -> None:
        self._engine = engine
        self._config = config

    def create(
        self,
        new: NewSubmission,
        *,
        replay: bool = False,
        exclude_ids: Collection[UUID] = (),
    ) -> UploadTicket:
        """Announce a take and get the URLs to send it to.

        A lost answer within this call is asked for again without making a second submission. For
        that a v2 server needs `new.id`; a v1 server, which makes its own ids, is asked for its
        list first, and a submission that matches and has no video yet is taken over.

        Args:
            new: the announcement.
            replay: an earlier call, perhaps of an earlier process, may have reached the server.
            exclude_ids: submissions that belong to other takes of this device; a v1 server's
                look-alikes among them are left alone.

        Raises:
            IdConflictError: the id is taken by something else.
            ValidationError, TooLargeError, ContextNotFoundError: the announcement is refused.
        """
        return self._engine.run(
            create(new, replay=replay, exclude_ids=exclude_ids, policy=self._config.retry)
        )

    def list(
        self,
        *,
        exercise_id: UUID | str | None = None,
        piece_id: UUID | str | None = None,
        session_id: UUID | str | None = None,
        media_state: str | None = None,
        reviewed: bool | None = None,
        page_size: int | None = None,
    ) -> Iterator[Submission]:
        """One's own submissions, newest capture first; pages are fetched as they are needed."""
        return self._engine.iterate(
            endpoints.list_mine(
                exercise_id=exercise_id,
                piece_id=piece_id,
                session_id=session_id,
                media_state=media_state,
                reviewed=reviewed,
                page_size=page_size,
            )
        )

    def get(self, submission_id: UUID | str) -> Submission:
        """One submission."""
        return self._engine.run(get(submission_id))

    def upload_urls(
        self,
        submission_id: UUID | str,
        *,
        only: Literal["video", "thumbnail"] | None = None,
    ) -> UploadTicket:
        """Fresh URLs to send to. They are good for `expires_in` seconds: sign late (B-25).

        Raises:
            AlreadyUploadedError: it has arrived; confirm it.
        """
        return self._engine.run(endpoints.upload_urls(submission_id, only=only))

    def upload(
        self,
        submission_id: UUID | str,
        source: Path | MediaSource,
        *,
        content_type: str = "video/mp4",
        sha256: str | None = None,
        thumbnail: Path | MediaSource | None = None,
        progress: Callable[[int, int], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        rate_limit_bytes_per_second: int | None = None,
    ) -> Confirmation:
        """Send a created submission's video and have it confirmed, for programs with no queue.

        Every try fetches its own URL, so an expired one is refreshed and a dropped connection is
        begun anew, a few times within this call (`RetryPolicy`); `progress` then goes back to 0.
        A thumbnail that cannot be sent is left out. See `upload_media` for the arguments.

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
            upload(
                submission_id,
                video,
                picture,
                policy=self._config.retry,
                reply_seconds=self._config.timeouts.reply_seconds,
            )
        )

    def confirm(
        self,
        submission_id: UUID | str,
        *,
        size_bytes: int,
        sha256: str | None,
        md5: str | None = None,
        thumbnail: bool = False,
    ) -> Confirmation:
        """Have what is stored compared with what was sent, and get the receipt (I2).

        A v1 server has no such route. Its store is asked for the object instead: the size always,
        the MD5 where `md5` is given and the store's ETag is one.

        Raises:
            NotUploadedYetError: there is no object: send it.
            SizeMismatchError, ChecksumMismatchError: it is another one: send it again.
            TooLargeError, UnsupportedMediaError: the server does not take it.
        """
        return self._engine.run(
            confirm(
                submission_id,
                size_bytes=size_bytes,
                sha256=sha256,
                md5=md5,
                thumbnail=thumbnail,
                reply_seconds=self._config.timeouts.reply_seconds,
            )
        )

    def playback(self, submission_id: UUID | str, *, download: bool = False) -> Playback:
        """Signed URLs to watch it with, or to save it with (`download`)."""
        return self._engine.run(endpoints.playback(submission_id, download=download))

    def mark_reviewed(self, submission_id: UUID | str) -> Submission:
        """The teacher has dealt with it; the first time and person stand (B-22)."""
        return self._engine.run(endpoints.mark_reviewed(submission_id))

    def reopen(self, submission_id: UUID | str) -> Submission:
        """Take a review back."""
        return self._engine.run(endpoints.reopen(submission_id))

    def delete(self, submission_id: UUID | str) -> None:
        """Delete one's own submission, before it is reviewed."""
        return self._engine.run(endpoints.delete(submission_id))

    def events(self, submission_id: UUID | str) -> builtins.list[UploadEvent]:
        """What has happened to it, oldest first."""
        return self._engine.run(endpoints.events(submission_id))


class Review:
    """What waits for the signed-in teacher."""

    def __init__(self, engine: SyncEngine) -> None:
        self._engine = engine

    def queue(
        self,
        *,
        sort: str = "waiting",
        limit: int | None = None,
    ) -> Iterator[QueueItem]:
        """Takes that have arrived and are not reviewed; at most `limit` of them."""
        page_size = None if limit is None else min(limit, _LARGEST_PAGE)
        return self._engine.iterate(endpoints.review_queue(sort=sort, page_size=page_size), limit)


# ── asynchronous ────────────────────────────────────────────────────────────────────────────────


class AsyncSubmissions:
    """A student's takes on the server."""

    def __init__(self, engine: AsyncEngine, config: ClientConfig) -> None:
        self._engine = engine
        self._config = config

    async def create(
        self,
        new: NewSubmission,
        *,
        replay: bool = False,
        exclude_ids: Collection[UUID] = (),
    ) -> UploadTicket:
        """Announce a take and get the URLs to send it to.

        A lost answer within this call is asked for again without making a second submission. For
        that a v2 server needs `new.id`; a v1 server, which makes its own ids, is asked for its
        list first, and a submission that matches and has no video yet is taken over.

        Args:
            new: the announcement.
            replay: an earlier call, perhaps of an earlier process, may have reached the server.
            exclude_ids: submissions that belong to other takes of this device; a v1 server's
                look-alikes among them are left alone.

        Raises:
            IdConflictError: the id is taken by something else.
            ValidationError, TooLargeError, ContextNotFoundError: the announcement is refused.
        """
        return await self._engine.run(
            create(new, replay=replay, exclude_ids=exclude_ids, policy=self._config.retry)
        )

    def list(
        self,
        *,
        exercise_id: UUID | str | None = None,
        piece_id: UUID | str | None = None,
        session_id: UUID | str | None = None,
        media_state: str | None = None,
        reviewed: bool | None = None,
        page_size: int | None = None,
    ) -> AsyncIterator[Submission]:
        """One's own submissions, newest capture first; pages are fetched as they are needed."""
        return self._engine.iterate(
            endpoints.list_mine(
                exercise_id=exercise_id,
                piece_id=piece_id,
                session_id=session_id,
                media_state=media_state,
                reviewed=reviewed,
                page_size=page_size,
            )
        )

    async def get(self, submission_id: UUID | str) -> Submission:
        """One submission."""
        return await self._engine.run(get(submission_id))

    async def upload_urls(
        self,
        submission_id: UUID | str,
        *,
        only: Literal["video", "thumbnail"] | None = None,
    ) -> UploadTicket:
        """Fresh URLs to send to. They are good for `expires_in` seconds: sign late (B-25).

        Raises:
            AlreadyUploadedError: it has arrived; confirm it.
        """
        return await self._engine.run(endpoints.upload_urls(submission_id, only=only))

    async def upload(
        self,
        submission_id: UUID | str,
        source: Path | MediaSource,
        *,
        content_type: str = "video/mp4",
        sha256: str | None = None,
        thumbnail: Path | MediaSource | None = None,
        progress: Callable[[int, int], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        rate_limit_bytes_per_second: int | None = None,
    ) -> Confirmation:
        """Send a created submission's video and have it confirmed, for programs with no queue.

        Every try fetches its own URL, so an expired one is refreshed and a dropped connection is
        begun anew, a few times within this call (`RetryPolicy`); `progress` then goes back to 0.
        A thumbnail that cannot be sent is left out. See `upload_media` for the arguments.

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
            upload(
                submission_id,
                video,
                picture,
                policy=self._config.retry,
                reply_seconds=self._config.timeouts.reply_seconds,
            )
        )

    async def confirm(
        self,
        submission_id: UUID | str,
        *,
        size_bytes: int,
        sha256: str | None,
        md5: str | None = None,
        thumbnail: bool = False,
    ) -> Confirmation:
        """Have what is stored compared with what was sent, and get the receipt (I2).

        A v1 server has no such route. Its store is asked for the object instead: the size always,
        the MD5 where `md5` is given and the store's ETag is one.

        Raises:
            NotUploadedYetError: there is no object: send it.
            SizeMismatchError, ChecksumMismatchError: it is another one: send it again.
            TooLargeError, UnsupportedMediaError: the server does not take it.
        """
        return await self._engine.run(
            confirm(
                submission_id,
                size_bytes=size_bytes,
                sha256=sha256,
                md5=md5,
                thumbnail=thumbnail,
                reply_seconds=self._config.timeouts.reply_seconds,
            )
        )

    async def playback(self, submission_id: UUID | str, *, download: bool = False) -> Playback:
        """Signed URLs to watch it with, or to save it with (`download`)."""
        return await self._engine.run(endpoints.playback(submission_id, download=download))

    async def mark_reviewed(self, submission_id: UUID | str) -> Submission:
        """The teacher has dealt with it; the first time and person stand (B-22)."""
        return await self._engine.run(endpoints.mark_reviewed(submission_id))

    async def reopen(self, submission_id: UUID | str) -> Submission:
        """Take a review back."""
        return await self._engine.run(endpoints.reopen(submission_id))

    async def delete(self, submission_id: UUID | str) -> None:
        """Delete one's own submission, before it is reviewed."""
        return await self._engine.run(endpoints.delete(submission_id))

    async def events(self, submission_id: UUID | str) -> builtins.list[UploadEvent]:
        """What has happened to it, oldest first."""
        return await self._engine.run(endpoints.events(submission_id))


class AsyncReview:
    """What waits for the signed-in teacher."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def queue(
        self,
        *,
        sort: str = "waiting",
        limit: int | None = None,
    ) -> AsyncIterator[QueueItem]:
        """Takes that have arrived and are not reviewed; at most `limit` of them."""
        page_size = None if limit is None else min(limit, _LARGEST_PAGE)
        return self._engine.iterate(endpoints.review_queue(sort=sort, page_size=page_size), limit)
