"""`cadenza watch`: finished recordings in a folder are queued by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cadenza_cli import _options, _words
from cadenza_cli._app import app
from cadenza_cli._command import command
from cadenza_cli._run import Run

if TYPE_CHECKING:
    from cadenza_uploader import FileSeen


@command(
    app,
    "watch",
    examples=["cadenza watch ~/Videos --piece bach", "cadenza watch ~/Videos --piece bach --fit"],
    more="""
    A file is taken once it has stopped changing and opens as a whole recording; what was taken
    or refused before is remembered. It only queues: `cadenza daemon run` sends. Ctrl-C ends it.
    """,
)
def watch(
    run: Run,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder.", exists=True, file_okay=False)
    ],
    piece: _options.PieceOption = None,
    exercise: _options.ExerciseOption = None,
    session: _options.SessionOption = None,
    notes: _options.NotesOption = None,
    fit: _options.FitOption = False,
    delete_source: _options.DeleteSourceOption = False,
) -> None:
    """Queue every finished recording of a folder."""
    from cadenza_cli._context import context_from
    from cadenza_uploader import FolderWatch, enqueue, stop_on_signals, wake_daemon

    context = context_from(
        run,
        piece=piece,
        exercise=exercise,
        session=session,
        notes=notes,
        page=None,
        measure=None,
        measure_end=None,
    )
    latest: dict[Path, FileSeen] = {}

    def tell(seen: FileSeen) -> None:
        latest[seen.path] = seen
        if seen.intake is not None:
            wake_daemon(run.home)
        mark = "" if seen.outcome in ("queued", "waiting") else f" ({seen.outcome})"
        name = _words.clean(seen.path.name)
        run.out.line(f"{name}: {_words.clean(seen.sentence)}{mark}")
        for warning in seen.intake.warnings if seen.intake else ():
            run.out.warn(f"{name}: {_words.clean(warning.sentence)}")

    with run.queue() as queue, stop_on_signals() as stop:
        FolderWatch(
            folder,
            queue,
            # Asked anew for each file: somebody may sign in while it runs.
            take_in=lambda path: enqueue(
                queue,
                path,
                context,
                account=run.account,
                settings=run.settings,
                fit=fit or run.settings.fit == "auto",
                delete_source=delete_source,
            ),
            tell=tell,
            monotonic=run.world.monotonic,
        ).run(stop)
    run.out.answer(
        {"files": [_document(seen) for seen in latest.values()]},
        ids=[seen.intake.take.id for seen in latest.values() if seen.intake],
    )


def _document(seen: FileSeen) -> dict[str, Any]:
    """A watched file as JSON. Keys: file, outcome, sentence, take_id."""
    return {
        "file": str(seen.path),
        "outcome": seen.outcome,
        "sentence": seen.sentence,
        "take_id": seen.intake.take.id if seen.intake else None,
    }
