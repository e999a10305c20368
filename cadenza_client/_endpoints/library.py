"""Pieces, routines and practice sessions: what a take can be of."""

from __future__ import annotations

from uuid import UUID

from cadenza_client._answers import one, one_or_none
from cadenza_client._call import Call, Page
from cadenza_client._endpoints._build import body, pages, path, query
from cadenza_client.models import Exercise, Piece, PiecePage, PracticeSession, Routine

__all__ = [
    "add_exercise",
    "assign_routine",
    "complete_session",
    "create_piece",
    "create_routine",
    "current_routine",
    "get_piece",
    "list_pieces",
    "list_routines",
    "put_page",
    "start_session",
]


def list_pieces() -> Call[Page[Piece]]:
    """`GET /pieces`."""
    return pages(Piece, "/pieces")


def create_piece(
    title: str, *, pdf_filename: str | None = None, page_count: int | None = None
) -> Call[Piece]:
    """`POST /pieces`."""
    given = {"title": title, "pdf_filename": pdf_filename, "page_count": page_count}
    return Call("POST", "/pieces", one(Piece), body=body(given))


def get_piece(piece_id: UUID | str) -> Call[Piece]:
    """`GET /pieces/{id}`."""
    return Call("GET", path("/pieces/{}", piece_id), one(Piece), idempotent=True)


def put_page(
    piece_id: UUID | str,
    number: int,
    image: bytes,
    *,
    content_type: str,
    measure_start: int | None = None,
    measure_end: int | None = None,
) -> Call[PiecePage]:
    """`PUT /pieces/{id}/pages/{n}` with the picture as the body."""
    return Call(
        "PUT",
        path("/pieces/{}/pages/{}", piece_id, number),
        one(PiecePage),
        query=query(measure_start=measure_start, measure_end=measure_end),
        body=image,
        content_type=content_type,
        idempotent=True,
    )


def list_routines() -> Call[Page[Routine]]:
    """`GET /routines`."""
    return pages(Routine, "/routines")


def create_routine(title: str) -> Call[Routine]:
    """`POST /routines`."""
    return Call("POST", "/routines", one(Routine), body=body({"title": title}))


def add_exercise(
    routine_id: UUID | str,
    *,
    piece_id: UUID | str | None = None,
    title: str | None = None,
    order_index: int | None = None,
    recommended_time_seconds: int | None = None,
    intentions: str | None = None,
    start_page: int | None = None,
) -> Call[Exercise]:
    """`POST /routines/{id}/exercises`."""
    given = {
        "piece_id": piece_id,
        "title": title,
        "order_index": order_index,
        "recommended_time_seconds": recommended_time_seconds,
        "intentions": intentions,
        "start_page": start_page,
    }
    route = path("/routines/{}/exercises", routine_id)
    return Call("POST", route, one(Exercise), body=body(given))


def current_routine() -> Call[Routine | None]:
    """`GET /my-current-routine`."""
    return Call("GET", "/my-current-routine", one_or_none(Routine), idempotent=True)


def assign_routine(student_id: int, routine_id: UUID | str) -> Call[Routine]:
    """`POST /students/{id}/assign-routine`; a student has one routine, so twice is as once."""
    return Call(
        "POST",
        path("/students/{}/assign-routine", student_id),
        one(Routine),
        body=body({"routine_id": routine_id}),
        idempotent=True,
    )


def start_session(routine_id: UUID | str | None = None) -> Call[PracticeSession]:
    """`POST /sessions`."""
    return Call("POST", "/sessions", one(PracticeSession), body=body({"routine_id": routine_id}))


def complete_session(
    session_id: UUID | str, duration_seconds: int | None = None
) -> Call[PracticeSession]:
    """`PUT /sessions/{id}/complete`."""
    return Call(
        "PUT",
        path("/sessions/{}/complete", session_id),
        one(PracticeSession),
        body=body({"duration_seconds": duration_seconds}),
        idempotent=True,
    )
