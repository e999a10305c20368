"""`cadenza inbox`, `students`, `review`: the teacher's side at a terminal."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cadenza_cli import _options, _words
from cadenza_cli._app import app
from cadenza_cli._command import command
from cadenza_cli._run import Run

if TYPE_CHECKING:
    from cadenza_cli._output import Cell
    from cadenza_client.models import QueueItem

#: A promise this close is shown in another colour.
_SOON_SECONDS = 6 * 3600


@command(
    app, "inbox", examples=["cadenza inbox", "cadenza inbox --sort student", "cadenza inbox -q"]
)
def inbox(
    run: Run,
    sort: Annotated[
        str, typer.Option("--sort", help="waiting (longest first), student or piece.")
    ] = "waiting",
    limit: _options.LimitOption = 50,
) -> None:
    """List what waits for your review, longest first."""
    from itertools import islice

    from cadenza_cli._submissions import queue_item_document

    if sort not in ("waiting", "student", "piece"):
        raise typer.BadParameter(f"{sort!r} is not waiting, student or piece.", param_hint="--sort")
    with run.client() as client:
        items = list(islice(client.review.queue(sort=sort, limit=limit), limit))

    def human() -> None:
        if not items:
            run.out.line("Nothing waits for you.")
            return
        now = run.now()
        run.out.table(
            ["ID", "STUDENT", "LENGTH", "WAITING", "LEFT", "ABOUT", "NOTES"],
            [_row(item, now) for item in items],
        )

    run.out.answer(
        {"items": [queue_item_document(item) for item in items]},
        ids=[str(item.submission.id) for item in items],
        human=human,
    )


def _row(item: QueueItem, now: datetime) -> list[Cell]:
    from cadenza_cli._submissions import about_words

    submission = item.submission
    waiting = "" if item.waiting_seconds is None else _words.span(item.waiting_seconds)
    return [
        str(submission.id)[:8],
        f"{item.student_name or submission.user_id}{' (question)' if item.has_question else ''}",
        _words.duration(submission.duration_seconds),
        waiting,
        _time_left(item.due_at, now),
        about_words(submission),
        submission.notes or "",
    ]


def _time_left(due_at: datetime | None, now: datetime) -> Cell:
    """What is left of the 48 hours a student may expect to wait."""
    if due_at is None:
        return ""
    seconds = (due_at - now).total_seconds()
    if seconds < 0:
        return (f"{_words.span(seconds)} late", "red")
    return (_words.span(seconds), "yellow" if seconds < _SOON_SECONDS else "green")


@command(app, "students", examples=["cadenza students"])
def students(run: Run) -> None:
    """List your students and what waits for you."""
    from cadenza_cli._submissions import user_document

    with run.client() as client:
        listed = client.students.list()
        waiting: dict[int, int] = {}
        for item in client.review.queue():
            owner = item.submission.user_id
            waiting[owner] = waiting.get(owner, 0) + 1

    def human() -> None:
        if not listed:
            run.out.line("No students yet. A student names you with your e-mail address.")
            return
        run.out.table(
            ["ID", "NAME", "E-MAIL", "WAITING"],
            [
                [str(one.id), one.full_name or "", one.email, str(waiting.get(one.id, 0))]
                for one in listed
            ],
        )

    run.out.answer(
        {
            "students": [
                {**user_document(one), "waiting_for_review": waiting.get(one.id, 0)}
                for one in listed
            ]
        },
        ids=[str(one.id) for one in listed],
        human=human,
    )


@command(app, "review", examples=["cadenza review 6f0c1a2b", "cadenza review 6f0c1a2b --undo"])
def review(
    run: Run,
    ref: Annotated[str, typer.Argument(metavar="ID", help="Submission id, or its beginning.")],
    undo: Annotated[bool, typer.Option("--undo", help="Back into the queue.")] = False,
) -> None:
    """Mark a submission as reviewed."""
    from cadenza_cli._submissions import find_submission, submission_document

    with run.client() as client:
        submission_id = find_submission(client, ref)
        act = client.submissions.reopen if undo else client.submissions.mark_reviewed
        submission = act(submission_id)
    words = "waits for review again" if undo else "reviewed"
    run.out.answer(
        submission_document(submission),
        ids=[str(submission.id)],
        human=lambda: run.out.line(f"{submission_id[:8]} {words}."),
    )
