"""What a take is about, checked before anything is copied."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import typer

if TYPE_CHECKING:
    from cadenza_cli._run import Run
    from cadenza_uploader.take import TakeContext

__all__ = ["check_id", "context_from", "find_piece"]

_MAX_NOTES = 2000


def context_from(
    run: Run,
    *,
    piece: str | None,
    exercise: str | None,
    session: str | None,
    notes: str | None,
    page: int | None,
    measure: int | None,
    measure_end: int | None,
) -> TakeContext:
    """The context of a take, from options.

    Raises:
        typer.BadParameter: no context (B-20), an id that is none, or an impossible passage.
    """
    from cadenza_uploader.take import TakeContext

    if not (piece or exercise or session):
        raise typer.BadParameter(
            "a take belongs to something: give --piece, --exercise or --session "
            "(`cadenza pieces ls` lists the pieces)."
        )
    if measure_end is not None and (measure is None or measure_end < measure):
        raise typer.BadParameter("needs --measure at or before it.", param_hint="--measure-end")
    if notes is not None and len(notes) > _MAX_NOTES:
        message = f"{len(notes)} characters; the limit is {_MAX_NOTES}."
        raise typer.BadParameter(message, param_hint="--notes")
    return TakeContext(
        piece_id=find_piece(run, piece),
        exercise_id=check_id(exercise, "--exercise"),
        session_id=check_id(session, "--session"),
        page_number=page,
        measure_number=measure,
        measure_end=measure_end,
        notes=notes or None,
    )


def find_piece(run: Run, words: str | None) -> str | None:
    """The id of the piece that is meant; None for nothing.

    Raises:
        typer.BadParameter: no piece, or no single piece, is meant.
    """
    from cadenza_cli._pieces import UnknownPieceError

    if not words:
        return None
    try:
        return run.piece_names.find(words)
    except UnknownPieceError as error:
        raise typer.BadParameter(str(error), param_hint="--piece") from None


def check_id(value: str | None, option: str) -> str | None:
    """The id in its one spelling (W3); None for nothing.

    Raises:
        typer.BadParameter: it is no UUID.
    """
    try:
        return str(UUID(value)) if value else None
    except ValueError:
        message = f"{value!r} is not an id; it looks like b1a2c3d4-…, 36 characters."
        raise typer.BadParameter(message, param_hint=option) from None
