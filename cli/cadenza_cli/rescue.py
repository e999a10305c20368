"""`cadenza queue rebuild | salvage | reconcile`: for the day something went wrong.

Nothing here deletes a recording.
"""

from __future__ import annotations

from typing import Annotated

import typer

from cadenza_cli import _options, _words
from cadenza_cli._command import command
from cadenza_cli._run import Run
from cadenza_cli.queue import app

__all__ = ["app"]


@command(app, "rebuild", examples=["cadenza queue rebuild"])
def rebuild(run: Run) -> None:
    """Write a damaged queue anew from its recordings.

    The damaged database is set aside, never deleted. A sound one is left as it is.
    """
    from cadenza_uploader import open_rebuilt

    queue, rebuilt = open_rebuilt(run.home, clock=run.world.clock)
    queue.close()

    def human() -> None:
        if rebuilt.set_aside is None:
            run.out.line("The queue is sound; nothing was done.")
            return
        run.out.line(f"The damaged database is kept as {rebuilt.set_aside.name}.")
        run.out.line(f"{_words.plural(len(rebuilt.adopted), 'take')} written again.")
        for name in rebuilt.unreadable:
            run.out.line(f"Kept, but without a usable description: {_words.clean(name)}")

    run.out.answer(
        {
            "set_aside": str(rebuilt.set_aside) if rebuilt.set_aside else None,
            "adopted": list(rebuilt.adopted),
            "unreadable": list(rebuilt.unreadable),
        },
        ids=rebuilt.adopted,
        human=human,
    )


@command(
    app,
    "salvage",
    examples=["cadenza queue salvage", "cadenza queue salvage .part-6f0c1a2b --piece bach"],
)
def salvage(
    run: Run,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which one; without it, list them.")
    ] = None,
    piece: _options.PieceOption = None,
    exercise: _options.ExerciseOption = None,
    session: _options.SessionOption = None,
    reply_to: Annotated[
        str | None,
        typer.Option("--reply-to", metavar="ID", help="It was a reply to this submission."),
    ] = None,
    notes: _options.NotesOption = None,
) -> None:
    """Queue what an interrupted `upload` or `reply` left behind."""
    if name is None:
        _list_remnants(run)
        return
    from cadenza_cli._context import check_id, context_from
    from cadenza_cli._takes import take_document
    from cadenza_uploader import salvage as queue_remnant
    from cadenza_uploader.take import TakeContext

    if reply_to is not None and (piece or exercise or session):
        raise typer.BadParameter("a reply belongs to its submission alone.")
    if reply_to is not None:
        thread = check_id(reply_to, "--reply-to")
        context = TakeContext(parent_submission_id=thread, notes=notes or None)
    else:
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
    with run.queue() as queue:
        take = queue_remnant(queue, name, context, account=run.account, settings=run.settings).take
    run.out.answer(
        take_document(take),
        ids=[take.id],
        human=lambda: run.out.line(f"Queued {take.short_id}. `cadenza daemon run` sends it."),
    )


def _list_remnants(run: Run) -> None:
    from cadenza_uploader import remnants

    with run.queue() as queue:
        found = remnants(queue)

    def human() -> None:
        if not found:
            run.out.line("Nothing was interrupted here.")
            return
        run.out.table(
            ["NAME", "SIZE", "VERDICT"],
            [[one.name, _words.size(one.size_bytes), one.verdict] for one in found],
        )

    run.out.answer(
        {
            "remnants": [
                {
                    "name": one.name,
                    "size_bytes": one.size_bytes,
                    "verdict": one.verdict,
                    "whole": one.whole,
                }
                for one in found
            ]
        },
        ids=[one.name for one in found],
        human=human,
    )


@command(app, "reconcile", examples=["cadenza queue reconcile"])
def reconcile(run: Run) -> None:
    """Ask the server which takes it has already."""
    from cadenza_uploader import reconcile as compare

    with run.queue() as queue, run.client() as client:
        told = compare(queue, client)
    groups = {
        "arrived": "the server has; the next pass fetches the receipt",
        "expected": "the server waits for",
        "unknown": "the server has never heard of",
        "deleted": "were deleted at the server",
        "waiting_elsewhere": "the server waits for and this device does not have",
    }
    document = {name: list(getattr(told, name)) for name in groups}

    def human() -> None:
        for name, words in groups.items():
            if document[name]:
                short = ", ".join(one[:8] for one in document[name])
                run.out.line(f"{len(document[name])} {words}: {short}")
        if not any(document.values()):
            run.out.line("Nothing is unsent, and the server waits for nothing.")

    run.out.answer(document, ids=told.arrived, human=human)
