"""`cadenza notifications`, `events`: what happened, and what happens now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cadenza_cli import _options, _words
from cadenza_cli._app import app
from cadenza_cli._command import command
from cadenza_cli._run import Run

if TYPE_CHECKING:
    from cadenza_client import LiveEvent


@command(
    app,
    "notifications",
    examples=["cadenza notifications", "cadenza notifications --unread --read-all"],
)
def notifications(
    run: Run,
    unread: Annotated[bool, typer.Option("--unread", help="Only what is new to you.")] = False,
    read: Annotated[
        bool, typer.Option("--read-all", help="You have seen them all, from now on.")
    ] = False,
    limit: _options.LimitOption = 50,
) -> None:
    """List what you were told, newest first."""
    from cadenza_cli._thread import notification_document

    with run.client() as client:
        found = list(client.notifications.list(unread=True if unread else None, limit=limit))
        if read:
            client.notifications.mark_all_read()

    def human() -> None:
        if not found:
            run.out.line("Nothing new." if unread else "Nothing has happened yet.")
            return
        now = run.now()
        run.out.table(
            ["WHEN", "", "WHAT", "MORE"],
            [
                [
                    _words.moment(one.created_at, now),
                    "" if one.read_at is not None else ("new", "yellow"),
                    one.title,
                    one.body or "",
                ]
                for one in found
            ],
        )

    run.out.answer(
        {"notifications": [notification_document(one) for one in found], "marked_read": read},
        ids=[one.id for one in found],
        human=human,
    )


@command(
    app,
    "events",
    examples=[
        "cadenza events",
        'cadenza events --type "message.*" --type submission.reviewed --json',
        "cadenza events --after 0 --count 20",
    ],
    more="""
    It follows until Ctrl-C, and goes on after the last event when the connection was cut. With
    --json each event is a document on a line of its own.
    """,
)
def events(
    run: Run,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="Only these; message.* for all of a kind."),
    ] = None,
    after: Annotated[
        int | None,
        typer.Option("--after", metavar="SEQ", min=0, help="Begin after this one; 0 for all."),
    ] = None,
    count: Annotated[int | None, typer.Option("--count", min=1, help="End after so many.")] = None,
) -> None:
    """Follow what happens to the takes you may see."""
    from contextlib import closing
    from itertools import islice
    from typing import Any, cast

    from cadenza_cli._thread import event_document

    with run.client() as client:
        stream: Any = client.events.stream(after=after, types=types or ())
        with closing(stream):
            for event in cast("islice[LiveEvent]", islice(stream, count)):
                run.out.item(event_document(event), one_id=event.id, line=event_words(event))


def event_words(event: LiveEvent) -> str:
    """An event as a line: when, what, and which take."""
    about = "" if event.submission_id is None else f"  {str(event.submission_id)[:8]}"
    number = "" if event.seq is None else f"  ({event.seq})"
    return f"{_words.clock_time(event.timestamp)}  {_words.clean(event.type)}{about}{number}"
