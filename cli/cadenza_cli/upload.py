"""`cadenza upload`: the recording becomes a durable take, then it is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cadenza_cli import _options
from cadenza_cli._app import app
from cadenza_cli._command import command
from cadenza_cli._run import Run


@command(
    app,
    "upload",
    examples=[
        'cadenza upload take.mp4 --piece PIECE --notes "bar 17"',
        "cadenza upload *.mp4 --exercise EXERCISE --wait",
        "cadenza upload phone.mov --piece PIECE --page 3 --measure 17 --fit",
    ],
    more="""
    Limits: 3 minutes, 1280 × 720 (either way up), 60 frames a second, H.264 and AAC in MP4 or
    QuickTime, 250 MB; --fit makes a copy within them and never cuts. Exit codes: 0 uploaded or
    with the daemon, 3 sign in, 4 outside the limits, 5 offline (safe, sent later), 6 the server
    refused it.
    """,
)
def upload(
    run: Run,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Recordings.", exists=True, dir_okay=False),
    ],
    piece: _options.PieceOption = None,
    exercise: _options.ExerciseOption = None,
    session: _options.SessionOption = None,
    notes: _options.NotesOption = None,
    page: _options.PageOption = None,
    measure: _options.MeasureOption = None,
    measure_end: _options.MeasureEndOption = None,
    fit: _options.FitOption = False,
    wait: _options.WaitOption = False,
    timeout: _options.TimeoutOption = None,
    no_daemon: _options.NoDaemonOption = False,
    delete_source: _options.DeleteSourceOption = False,
) -> None:
    """Send recordings to your teacher, online or not.

    Each file is copied into the queue first; from then on a power cut cannot lose it. A running
    daemon sends it, otherwise this command does.
    """
    from cadenza_cli._context import context_from
    from cadenza_cli._queueing import Orders, queue_and_send

    if wait and no_daemon:
        raise typer.BadParameter("--wait and --no-daemon exclude each other.")
    context = context_from(
        run,
        piece=piece,
        exercise=exercise,
        session=session,
        notes=notes,
        page=page,
        measure=measure,
        measure_end=measure_end,
    )
    orders = Orders(
        context,
        fit=fit,
        delete_source=delete_source,
        send=not no_daemon,
        wait=wait,
        timeout_seconds=timeout,
    )
    queue_and_send(run, files, orders)
