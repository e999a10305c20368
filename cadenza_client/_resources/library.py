"""Pieces, routines and practice sessions: what a take can be of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from cadenza_client._endpoints import library
from cadenza_client._flows.library import put_page
from cadenza_client.models import Exercise, Piece, PiecePage, PracticeSession, Routine

if TYPE_CHECKING:
    from cadenza_client._async import AsyncEngine
    from cadenza_client._sync import SyncEngine

__all__ = ["AsyncPieces", "AsyncPractice", "AsyncRoutines", "Pieces", "Practice", "Routines"]


# ── synchronous ────────────────────────────────────────────────────────────────────────────────


class Pieces:
    """Pieces of music and their pages."""

    def __init__(self, engine: SyncEngine) -> None:
        self._engine = engine

    def list(self) -> Iterator[Piece]:
        """One's own pieces and those of the assigned routine; pages are fetched as needed."""
        return self._engine.iterate(library.list_pieces())

    def create(
        self, title: str, *, pdf_filename: str | None = None, page_count: int | None = None
    ) -> Piece:
        """Add a piece."""
        return self._engine.run(
            library.create_piece(title, pdf_filename=pdf_filename, page_count=page_count)
        )

    def get(self, piece_id: UUID | str) -> Piece:
        """One piece, with its pages."""
        return self._engine.run(library.get_piece(piece_id))

    def put_page(
        self,
        piece_id: UUID | str,
        number: int,
        image_path: Path,
        *,
        measure_start: int | None = None,
        measure_end: int | None = None,
    ) -> PiecePage:
        """Set the picture of one page: a JPEG or PNG of at most 10 MiB."""
        return self._engine.run(
            put_page(
                piece_id,
                number,
                image_path,
                measure_start=measure_start,
                measure_end=measure_end,
            )
        )


class Routines:
    """What a student is to practise."""

    def __init__(self, engine: SyncEngine) -> None:
        self._engine = engine

    def list(self) -> Iterator[Routine]:
        """One's own routines."""
        return self._engine.iterate(library.list_routines())

    def create(self, title: str) -> Routine:
        """Add an empty routine."""
        return self._engine.run(library.create_routine(title))

    def add_exercise(
        self,
        routine_id: UUID | str,
        *,
        piece_id: UUID | str | None = None,
        title: str | None = None,
        order_index: int | None = None,
        recommended_time_seconds: int | None = None,
        intentions: str | None = None,
        start_page: int | None = None,
    ) -> Exercise:
        """Add an exercise; at the end unless `order_index` says where."""
        return self._engine.run(
            library.add_exercise(
                routine_id,
                piece_id=piece_id,
                title=title,
                order_index=order_index,
                recommended_time_seconds=recommended_time_seconds,
                intentions=intentions,
                start_page=start_page,
            )
        )

    def current(self) -> Routine | None:
        """The routine the signed-in student has been given, or None."""
        return self._engine.run(library.current_routine())


class Practice:
    """Practice sessions."""

    def __init__(self, engine: SyncEngine) -> None:
        self._engine = engine

    def start(self, routine_id: UUID | str | None = None) -> PracticeSession:
        """Begin to practise, with or without a routine."""
        return self._engine.run(library.start_session(routine_id))

    def complete(
        self, session_id: UUID | str, duration_seconds: int | None = None
    ) -> PracticeSession:
        """Finish practising."""
        return self._engine.run(library.complete_session(session_id, duration_seconds))


# ── asynchronous ────────────────────────────────────────────────────────────────────────────────


class AsyncPieces:
    """Pieces of music and their pages."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def list(self) -> AsyncIterator[Piece]:
        """One's own pieces and those of the assigned routine; pages are fetched as needed."""
        return self._engine.iterate(library.list_pieces())

    async def create(
        self, title: str, *, pdf_filename: str | None = None, page_count: int | None = None
    ) -> Piece:
        """Add a piece."""
        return await self._engine.run(
            library.create_piece(title, pdf_filename=pdf_filename, page_count=page_count)
        )

    async def get(self, piece_id: UUID | str) -> Piece:
        """One piece, with its pages."""
        return await self._engine.run(library.get_piece(piece_id))

    async def put_page(
        self,
        piece_id: UUID | str,
        number: int,
        image_path: Path,
        *,
        measure_start: int | None = None,
        measure_end: int | None = None,
    ) -> PiecePage:
        """Set the picture of one page: a JPEG or PNG of at most 10 MiB."""
        return await self._engine.run(
            put_page(
                piece_id,
                number,
                image_path,
                measure_start=measure_start,
                measure_end=measure_end,
            )
        )


class AsyncRoutines:
    """What a student is to practise."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def list(self) -> AsyncIterator[Routine]:
        """One's own routines."""
        return self._engine.iterate(library.list_routines())

    async def create(self, title: str) -> Routine:
        """Add an empty routine."""
        return await self._engine.run(library.create_routine(title))

    async def add_exercise(
        self,
        routine_id: UUID | str,
        *,
        piece_id: UUID | str | None = None,
        title: str | None = None,
        order_index: int | None = None,
        recommended_time_seconds: int | None = None,
        intentions: str | None = None,
        start_page: int | None = None,
    ) -> Exercise:
        """Add an exercise; at the end unless `order_index` says where."""
        return await self._engine.run(
            library.add_exercise(
                routine_id,
                piece_id=piece_id,
                title=title,
                order_index=order_index,
                recommended_time_seconds=recommended_time_seconds,
                intentions=intentions,
                start_page=start_page,
            )
        )

    async def current(self) -> Routine | None:
        """The routine the signed-in student has been given, or None."""
        return await self._engine.run(library.current_routine())


class AsyncPractice:
    """Practice sessions."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def start(self, routine_id: UUID | str | None = None) -> PracticeSession:
        """Begin to practise, with or without a routine."""
        return await self._engine.run(library.start_session(routine_id))

    async def complete(
        self, session_id: UUID | str, duration_seconds: int | None = None
    ) -> PracticeSession:
        """Finish practising."""
        return await self._engine.run(library.complete_session(session_id, duration_seconds))
