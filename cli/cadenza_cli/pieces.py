"""`cadenza pieces …`: what takes are about."""

from __future__ import annotations

from typing import Annotated

import typer

from cadenza_cli import _options, _words
from cadenza_cli._command import command, group
from cadenza_cli._run import Run

app = group(summary="The pieces takes belong to.")


@command(app, "ls", examples=["cadenza pieces ls"])
def list_pieces(run: Run, limit: _options.LimitOption = 100) -> None:
    """List your pieces and their ids."""
    from itertools import islice

    from cadenza_cli._pieces import PieceNames
    from cadenza_cli._submissions import piece_document

    with run.client() as client:
        found = list(islice(client.pieces.list(), limit))
    # Part of a list forgets nothing of what was known.
    PieceNames.remember(run.home.path, run.settings.url, found, add=len(found) == limit)

    def human() -> None:
        if not found:
            run.out.line('No pieces yet: `cadenza pieces add "Bach, Minuet in G"`.')
            return
        run.out.table(["ID", "TITLE"], [[str(piece.id), piece.title] for piece in found])

    run.out.answer(
        {"pieces": [piece_document(piece) for piece in found]},
        ids=[str(piece.id) for piece in found],
        human=human,
    )


@command(app, "add", examples=['cadenza pieces add "Bach, Minuet in G"'])
def add_piece(
    run: Run, title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is called.")]
) -> None:
    """Add a piece and print its id."""
    from cadenza_cli._pieces import PieceNames
    from cadenza_cli._submissions import piece_document

    with run.client() as client:
        piece = client.pieces.create(title)
    PieceNames.remember(run.home.path, run.settings.url, [piece], add=True)
    run.out.answer(
        piece_document(piece),
        ids=[str(piece.id)],
        human=lambda: run.out.line(f"{piece.id}  {_words.clean(piece.title)}"),
    )
