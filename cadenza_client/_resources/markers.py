"""Markers: words at a moment of a video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from uuid import UUID

from cadenza_client._endpoints import markers as endpoints
from cadenza_client.models import Marker, MarkerChanges, NewMarker

if TYPE_CHECKING:
    import builtins

    from cadenza_client._async import AsyncEngine
    from cadenza_client._sync import SyncEngine

__all__ = ["AsyncMarkers", "Markers"]


# ── synchronous ──────────────────────────────────────────────────────────────────────────────────


class Markers:
    """Words at moments of a take, or of a video in its thread."""

    def __init__(self, engine: SyncEngine) -> None:
        self._engine = engine

    def list(
        self, submission_id: UUID | str, *, include_messages: bool = False
    ) -> builtins.list[Marker]:
        """The markers of a take in the order of the video, and of its thread's if asked for."""
        return self._engine.run(
            endpoints.list_of_submission(submission_id, include_messages=include_messages)
        )

    def list_of_message(self, message_id: UUID | str) -> builtins.list[Marker]:
        """The markers of a message's video, in its order."""
        return self._engine.run(endpoints.list_of_message(message_id))

    def create(self, submission_id: UUID | str, new: NewMarker) -> Marker:
        """Set a marker on a take. The same `new` sent twice is one marker.

        Raises:
            ValidationError: the moment lies outside the video, or the text is too long.
            PermissionDeniedError: a student writes questions only; a stranger nothing.
        """
        return self._engine.run(endpoints.create(submission_id, new))

    def create_on_message(self, message_id: UUID | str, new: NewMarker) -> Marker:
        """Set a marker on a message's video; otherwise as `create`."""
        return self._engine.run(endpoints.create_on_message(message_id, new))

    def update(self, marker_id: UUID | str, changes: MarkerChanges) -> Marker:
        """Change one's own marker: only what `changes` names.

        Raises:
            PermissionDeniedError: it is somebody else's.
        """
        return self._engine.run(endpoints.update(marker_id, changes))

    def set_status(
        self,
        marker_id: UUID | str,
        status: Literal["open", "tried", "settled"],
        *,
        settled_by: UUID | str | None = None,
    ) -> Marker:
        """Say how far it is: a student what was tried, a teacher what is settled.

        Args:
            marker_id: of either side.
            status: where it stands now.
            settled_by: the submission in which it is played well.
        """
        return self._engine.run(endpoints.set_status(marker_id, status, settled_by=settled_by))

    def delete(self, marker_id: UUID | str) -> None:
        """Delete one's own marker.

        Raises:
            PermissionDeniedError: it is somebody else's.
        """
        return self._engine.run(endpoints.delete(marker_id))

    def export(self, submission_id: UUID | str, form: Literal["vtt", "csv", "json"]) -> str:
        """The markers as WebVTT for players, CSV for tables, or JSON, as text."""
        return self._engine.run(endpoints.export(submission_id, form))


# ── asynchronous ─────────────────────────────────────────────────────────────────────────────────


class AsyncMarkers:
    """Words at moments of a take, or of a video in its thread."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def list(
        self, submission_id: UUID | str, *, include_messages: bool = False
    ) -> builtins.list[Marker]:
        """The markers of a take in the order of the video, and of its thread's if asked for."""
        return await self._engine.run(
            endpoints.list_of_submission(submission_id, include_messages=include_messages)
        )

    async def list_of_message(self, message_id: UUID | str) -> builtins.list[Marker]:
        """The markers of a message's video, in its order."""
        return await self._engine.run(endpoints.list_of_message(message_id))

    async def create(self, submission_id: UUID | str, new: NewMarker) -> Marker:
        """Set a marker on a take. The same `new` sent twice is one marker.

        Raises:
            ValidationError: the moment lies outside the video, or the text is too long.
            PermissionDeniedError: a student writes questions only; a stranger nothing.
        """
        return await self._engine.run(endpoints.create(submission_id, new))

    async def create_on_message(self, message_id: UUID | str, new: NewMarker) -> Marker:
        """Set a marker on a message's video; otherwise as `create`."""
        return await self._engine.run(endpoints.create_on_message(message_id, new))

    async def update(self, marker_id: UUID | str, changes: MarkerChanges) -> Marker:
        """Change one's own marker: only what `changes` names.

        Raises:
            PermissionDeniedError: it is somebody else's.
        """
        return await self._engine.run(endpoints.update(marker_id, changes))

    async def set_status(
        self,
        marker_id: UUID | str,
        status: Literal["open", "tried", "settled"],
        *,
        settled_by: UUID | str | None = None,
    ) -> Marker:
        """Say how far it is: a student what was tried, a teacher what is settled.

        Args:
            marker_id: of either side.
            status: where it stands now.
            settled_by: the submission in which it is played well.
        """
        return await self._engine.run(
            endpoints.set_status(marker_id, status, settled_by=settled_by)
        )

    async def delete(self, marker_id: UUID | str) -> None:
        """Delete one's own marker.

        Raises:
            PermissionDeniedError: it is somebody else's.
        """
        return await self._engine.run(endpoints.delete(marker_id))

    async def export(self, submission_id: UUID | str, form: Literal["vtt", "csv", "json"]) -> str:
        """The markers as WebVTT for players, CSV for tables, or JSON, as text."""
        return await self._engine.run(endpoints.export(submission_id, form))
