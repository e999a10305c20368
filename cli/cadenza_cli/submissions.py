"""`cadenza submissions …`: what the server has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cadenza_cli import _options, _words
from cadenza_cli._command import command, group
from cadenza_cli._context import check_id, find_piece
from cadenza_cli._errors import CommandError
from cadenza_cli._run import Run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cadenza_client import CadenzaClient
    from cadenza_client.models import Playback, Submission

app = group(summary="What the server has: list, look, watch, download.")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Submission id, or its beginning.")]


@command(
    app,
    "ls",
    examples=["cadenza submissions ls", "cadenza submissions ls --student 7 --unreviewed"],
)
def list_submissions(
    run: Run,
    student: Annotated[
        int | None, typer.Option("--student", metavar="ID", help="As a teacher: whose.")
    ] = None,
    piece: _options.PieceOption = None,
    exercise: _options.ExerciseOption = None,
    unreviewed: Annotated[
        bool, typer.Option("--unreviewed", help="Only what waits for the teacher.")
    ] = False,
    limit: _options.LimitOption = 50,
) -> None:
    """List submissions, newest recording first."""
    from itertools import islice

    from cadenza_cli._submissions import about_words, state_words, submission_document

    with run.client() as client:
        found = list(
            islice(
                _listed(
                    run, client, student, piece=piece, exercise=exercise, unreviewed=unreviewed
                ),
                limit,
            )
        )

    def human() -> None:
        if not found:
            run.out.line("No submissions.")
            return
        now = run.now()
        run.out.table(
            ["ID", "RECORDED", "LENGTH", "STATE", "ABOUT", "NOTES"],
            [
                [
                    str(one.id)[:8],
                    _words.moment(one.captured_at or one.created_at, now),
                    _words.duration(one.duration_seconds),
                    (state_words(one), "green" if one.reviewed_at else "yellow"),
                    about_words(one),
                    one.notes or "",
                ]
                for one in found
            ],
        )

    run.out.answer(
        {"submissions": [submission_document(one) for one in found]},
        ids=[str(one.id) for one in found],
        human=human,
    )


def _listed(
    run: Run,
    client: CadenzaClient,
    student: int | None,
    *,
    piece: str | None,
    exercise: str | None,
    unreviewed: bool,
) -> Iterable[Submission]:
    piece_id = find_piece(run, piece)
    exercise_id = check_id(exercise, "--exercise")
    if student is not None:
        return client.students.submissions(
            student,
            pending_review=True if unreviewed else None,
            piece_id=piece_id,
            exercise_id=exercise_id,
        )
    return client.submissions.list(
        piece_id=piece_id, exercise_id=exercise_id, reviewed=False if unreviewed else None
    )


@command(app, "show", examples=["cadenza submissions show 6f0c1a2b"])
def show(run: Run, ref: IdArgument) -> None:
    """Show one submission and its trail."""
    from cadenza_cli._submissions import (
        about_words,
        event_document,
        find_submission,
        state_words,
        submission_document,
        thread_words,
    )

    with run.client() as client:
        submission_id = find_submission(client, ref)
        one = client.submissions.get(submission_id)
        events = client.submissions.events(submission_id)

    def human() -> None:
        now = run.now()
        captured = one.captured_at or one.created_at
        run.out.fields(
            [
                ("submission", str(one.id)),
                ("state", state_words(one)),
                ("about", _words.clean(about_words(one)) or None),
                ("notes", _words.clean(one.notes) if one.notes else None),
                ("length", _words.duration(one.duration_seconds)),
                ("picture", f"{one.width} × {one.height}" if one.width else None),
                ("recorded", f"{_words.clock_time(captured)} ({_words.moment(captured, now)})"),
                ("reviewed", _words.clock_time(one.reviewed_at) if one.reviewed_at else None),
                ("thread", thread_words(one)),
            ]
        )
        if events:
            run.out.line()
            run.out.table(
                ["WHEN", "EVENT", "BY"],
                [
                    [_words.clock_time(event.at), event.event, str(event.actor_id or "server")]
                    for event in events
                ],
            )

    run.out.answer(
        {**submission_document(one), "events": [event_document(event) for event in events]},
        ids=[str(one.id)],
        human=human,
    )


@command(
    app,
    "open",
    examples=["cadenza submissions open 6f0c1a2b", "cadenza submissions open 6f0c --print"],
    more="""
    The playback address is a secret: whoever has it can watch for as long as it is good. It goes
    to the browser without appearing in the process list or on disk, and is printed only on
    --print.
    """,
)
def open_submission(
    run: Run,
    ref: IdArgument,
    show_address: Annotated[
        bool, typer.Option("--print", help="Print the secret address instead.")
    ] = False,
) -> None:
    """Watch a submission in the browser."""
    from cadenza_cli._handoff import hand_to_browser

    submission_id, playback = _playback(run, ref)
    if show_address:
        run.out.answer(
            {
                "id": submission_id,
                "video_url": playback.video_url,
                "expires_in": playback.expires_in,
            },
            ids=[playback.video_url],
            human=lambda: run.out.line(playback.video_url),
        )
        return
    if not hand_to_browser(playback.video_url, run.world.open_browser):
        raise CommandError(
            "No browser opened.",
            code="no_browser",
            next_step=f"Use `cadenza submissions download {submission_id[:8]}`, or --print.",
        )
    run.out.answer(
        {"id": submission_id, "opened": True},
        ids=[submission_id],
        human=lambda: run.out.line("Opened in the browser."),
    )


@command(
    app,
    "download",
    examples=[
        "cadenza submissions download 6f0c1a2b",
        "cadenza submissions download 6f0c -o t.mp4",
    ],
)
def download(
    run: Run,
    ref: IdArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Download a submission's video."""
    from cadenza_cli._progress import transfer

    destination = output or Path(f"take-{ref.strip().lower()[:8]}.mp4")
    if destination.exists() and not force:
        raise CommandError(
            f"{destination} exists already.",
            code="file_exists",
            next_step="Give --force to replace it, or -o for another name.",
        )
    with run.client() as client:
        submission_id, playback = _playback_of(client, ref)
        with transfer(run.out, f"Downloading {submission_id[:8]}") as progress:
            size_bytes = client.download(playback, destination, progress=progress)
    run.out.answer(
        {"id": submission_id, "file": str(destination), "size_bytes": size_bytes},
        ids=[str(destination)],
        human=lambda: run.out.line(f"{destination} ({_words.size(size_bytes)})"),
    )


def _playback(run: Run, ref: str) -> tuple[str, Playback]:
    with run.client() as client:
        return _playback_of(client, ref)


def _playback_of(client: CadenzaClient, ref: str) -> tuple[str, Playback]:
    from cadenza_cli._submissions import find_submission

    submission_id = find_submission(client, ref)
    return submission_id, client.submissions.playback(submission_id)
