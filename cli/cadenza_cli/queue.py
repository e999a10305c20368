"""`cadenza queue …`: what waits on this device, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cadenza_cli import _options, _words
from cadenza_cli._asking import confirm
from cadenza_cli._command import command, group
from cadenza_cli._run import Run

if TYPE_CHECKING:
    from datetime import datetime

    from cadenza_cli._output import Cell
    from cadenza_uploader import TakeQueue
    from cadenza_uploader.take import QueueHold, Take

app = group(summary="The takes on this device.")

_STATUSES = ("pending", "uploading", "uploaded", "failed")


@command(
    app,
    "ls",
    examples=["cadenza queue ls", "cadenza queue ls --unsent", "cadenza queue ls --status failed"],
)
def list_takes(
    run: Run,
    status: Annotated[
        str | None, typer.Option("--status", help=f"Only one of {', '.join(_STATUSES)}.")
    ] = None,
    unsent: Annotated[
        bool, typer.Option("--unsent", help="Only what the teacher cannot see yet.")
    ] = False,
    limit: _options.LimitOption = 50,
) -> None:
    """List the takes on this device, newest first."""
    from cadenza_cli._takes import counts_document, hold_words, take_document
    from cadenza_uploader import daemon_status
    from cadenza_uploader.take import Status

    if status is not None and status not in _STATUSES:
        raise typer.BadParameter(f"{status!r} is not one of {', '.join(_STATUSES)}.")
    with run.queue() as queue:
        takes = queue.list(
            status=Status(status) if status else None, unsent_only=unsent, limit=limit
        )
        counts, holds = queue.counts(), queue.holds()
    daemon = daemon_status(run.home)

    def human() -> None:
        if not takes:
            run.out.line("No takes here." if status or unsent else "The queue is empty.")
            return
        now = run.now()
        run.out.table(
            ["TAKE", "STATUS", "LENGTH", "SIZE", "ABOUT", "RECORDED", "STATE"],
            [_row(run, take, holds, now, daemon_running=daemon.running) for take in takes],
        )
        run.out.line()
        words = f"{counts.unsent} unsent ({_words.size(counts.unsent_bytes)})"
        if counts.oldest_unsent_at is not None:
            words += f", the oldest from {_words.moment(counts.oldest_unsent_at, now)}"
        words += f"; {counts.uploaded} uploaded; "
        words += "the daemon is running" if daemon.running else "no daemon is running"
        run.out.line(f"{words}.")
        for hold in holds:
            run.out.line(f"Whole queue: {hold_words(hold.hold)} — {_words.clean(hold.why)}")

    run.out.answer(
        {
            "takes": [take_document(take) for take in takes],
            "counts": counts_document(counts),
            "daemon_running": daemon.running,
        },
        ids=[take.id for take in takes],
        human=human,
    )


def _row(
    run: Run, take: Take, holds: tuple[QueueHold, ...], now: datetime, *, daemon_running: bool
) -> list[Cell]:
    from cadenza_cli._takes import context_words, status_paint, waiting_words

    return [
        take.short_id,
        (take.status.value, status_paint(take.status)),
        _words.duration(take.duration_ms / 1000),
        _words.size(take.size_bytes),
        context_words(take.context, run.piece_names.titles),
        _words.moment(take.captured_at, now),
        waiting_words(take, holds=holds, now=now, daemon_running=daemon_running),
    ]


@command(app, "show", examples=["cadenza queue show 6f0c1a2b"])
def show_take(run: Run, take: _options.TakeArgument) -> None:
    """Show one take: facts, attempts, history."""
    from cadenza_cli._takes import (
        attempt_document,
        context_words,
        event_document,
        take_document,
        waiting_words,
    )
    from cadenza_uploader import daemon_status

    with run.queue() as queue:
        found = queue.get(take)
        attempts, events, holds = queue.attempts(found.id), queue.events(found.id), queue.holds()
    running = daemon_status(run.home).running

    def human() -> None:
        now = run.now()
        state = waiting_words(found, holds=holds, now=now, daemon_running=running)
        run.out.fields(
            [
                ("take", found.id),
                ("status", f"{found.status.value} — {_words.clean(state)}"),
                ("stage", found.stage.word),
                ("about", _words.clean(context_words(found.context, run.piece_names.titles))),
                ("notes", _words.clean(found.context.notes) if found.context.notes else None),
                ("length", f"{_words.duration(found.duration_ms / 1000)}"),
                ("picture", f"{found.width} × {found.height}"),
                ("size", _words.size(found.size_bytes)),
                ("recorded", _moment(found.captured_at, now)),
                ("queued", _moment(found.created_at, now)),
                ("next try", _moment(found.due_at, now) if found.due_at else None),
                ("submission", found.server_id),
                ("source", _words.clean(found.source_path) if found.source_path else None),
                ("sha256", found.video.sha256),
            ]
        )
        if attempts:
            run.out.line()
            run.out.table(
                ["STEP", "WHEN", "OUTCOME", "CODE", "SENT", "REQUEST"],
                [
                    [
                        attempt.step,
                        _words.clock_time(attempt.started_at),
                        attempt.outcome,
                        attempt.code or (str(attempt.status_code) if attempt.status_code else ""),
                        _words.size(attempt.bytes_sent),
                        attempt.request_id or "",
                    ]
                    for attempt in attempts
                ],
            )
        if events:
            run.out.line()
            run.out.table(
                ["WHEN", "STATUS", "STAGE", "WHY"],
                [
                    [
                        _words.clock_time(event.at),
                        event.to_status.value,
                        event.to_stage.word,
                        event.why or "",
                    ]
                    for event in events
                ],
            )

    run.out.answer(
        {
            **take_document(found),
            "attempts_made": [attempt_document(attempt) for attempt in attempts],
            "events": [event_document(event) for event in events],
        },
        ids=[found.id],
        human=human,
    )


def _moment(when: datetime, now: datetime) -> str:
    return f"{_words.clock_time(when)} ({_words.moment(when, now)})"


@command(app, "retry", examples=["cadenza queue retry 6f0c1a2b", "cadenza queue retry --all"])
def retry(
    run: Run,
    takes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TAKE]...", help="Take ids, or their beginnings."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every take that is not sent.")] = False,
) -> None:
    """Try takes again at once.

    Back-offs and counted attempts are forgotten; what is stored already is not sent again.
    """
    from cadenza_cli._takes import take_document
    from cadenza_uploader.take import Status

    if bool(takes) == every:
        raise typer.BadParameter("Name takes, or give --all.")
    with run.queue() as queue:
        unsent = queue.list(unsent_only=True, limit=None) if every else ()
        # What is being sent at this moment needs no retry.
        chosen = [take.id for take in unsent if take.status is not Status.UPLOADING] or [
            queue.get(ref).id for ref in takes or ()
        ]
        again = [queue.retry(take_id) for take_id in chosen]
    woken = _wake(run)

    def human() -> None:
        run.out.line(f"{_words.plural(len(again), 'take')} will be tried again.")
        if again and not woken:
            run.out.line("No daemon is running: `cadenza daemon run --once` sends them now.")

    run.out.answer(
        {"takes": [take_document(take) for take in again], "daemon_woken": woken},
        ids=[take.id for take in again],
        human=human,
    )


@command(
    app, "cancel", examples=["cadenza queue cancel 6f0c1a2b", "cadenza queue cancel 6f0c --yes"]
)
def cancel_takes(run: Run, takes: _options.TakesArgument, yes: _options.YesOption = False) -> None:
    """Give takes up.

    Removed from the server if they got there, then from the queue. Your own file is not touched.
    """
    from cadenza_uploader import cancel
    from cadenza_uploader.take import Stage

    with run.queue() as queue:
        found = {take.id: take for take in (queue.get(ref) for ref in takes)}
        if not yes:
            _confirm_cancel(run, list(found.values()))
        for take in found.values():
            if take.create_sent or take.stage >= Stage.REGISTERED:
                with run.client() as client:
                    cancel(queue, take.id, client=client)
            else:
                cancel(queue, take.id, client=None)
    run.out.answer(
        {"cancelled": list(found)},
        ids=found,
        human=lambda: run.out.line(f"{_words.plural(len(found), 'take')} cancelled."),
    )


def _confirm_cancel(run: Run, takes: list[Take]) -> None:
    for take in takes:
        length = _words.duration(take.duration_ms / 1000)
        run.out.note(f"  {take.short_id}  {length}  {_words.size(take.size_bytes)}")
    confirm(f"Cancel {_words.plural(len(takes), 'take')}? The queue's copy is deleted.")


@command(app, "pause", examples=["cadenza queue pause", 'cadenza queue pause --why "on the train"'])
def pause(
    run: Run,
    why: Annotated[str, typer.Option("--why", help="A word for `queue ls`.")] = "You paused it.",
) -> None:
    """Send nothing until `resume`; takes can still be queued."""
    with run.queue() as queue:
        queue.pause(why)
        document = _counts(queue)
    _wake(run)
    run.out.answer(
        document,
        human=lambda: run.out.line("The queue is paused. `cadenza queue resume` goes on."),
    )


@command(app, "resume", examples=["cadenza queue resume"])
def resume(run: Run) -> None:
    """Go on after `cadenza queue pause`."""
    with run.queue() as queue:
        queue.resume()
        document = _counts(queue)
    woken = _wake(run)

    def human() -> None:
        run.out.line("The queue goes on.")
        if document["unsent"] and not woken:
            run.out.line("No daemon is running: `cadenza daemon run --once` sends what waits.")

    run.out.answer(document, human=human)


@command(app, "gc", examples=["cadenza queue gc", "cadenza queue gc --older-than 7 --apply"])
def collect(
    run: Run,
    older_than: Annotated[
        float, typer.Option("--older-than", metavar="DAYS", min=0, help="Age of what may go.")
    ] = 30.0,
    apply: Annotated[
        bool, typer.Option("--apply", help="Really do it; otherwise only say what would go.")
    ] = False,
) -> None:
    """Forget what was uploaded long ago, and unfinished copies.

    A take that is not sent is never touched, nor a file that no take owns.
    """
    from cadenza_uploader import collect_garbage

    with run.queue() as queue:
        report = collect_garbage(queue, older_than_days=older_than, apply=apply)

    def human() -> None:
        verb = "Removed" if apply else "Would remove"
        run.out.line(
            f"{verb} {_words.plural(report.rows, 'uploaded take')} from the list and "
            f"{_words.plural(len(report.parts), 'unfinished copy', 'unfinished copies')} "
            f"({_words.size(report.bytes)})."
        )
        for name in report.strays:
            run.out.line(f"Kept, though no take owns it: {_words.clean(name)}")
        if not apply and (report.rows or report.parts):
            run.out.line("`cadenza queue gc --apply` does it.")

    run.out.answer(
        {
            "applied": report.applied,
            "rows": report.rows,
            "parts": list(report.parts),
            "strays": list(report.strays),
            "bytes": report.bytes,
        },
        human=human,
    )


def _counts(queue: TakeQueue) -> dict[str, object]:
    from cadenza_cli._takes import counts_document

    return counts_document(queue.counts())


def _wake(run: Run) -> bool:
    from cadenza_uploader import wake_daemon

    return wake_daemon(run.home)
