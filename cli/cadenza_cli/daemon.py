"""`cadenza daemon …`: the process that empties the queue."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated

import typer

from cadenza_cli import _options, _words
from cadenza_cli._command import command, group
from cadenza_cli._errors import CommandError, ExitCode
from cadenza_cli._run import Run

if TYPE_CHECKING:
    from cadenza_uploader.events import Event, Observer
    from cadenza_uploader.take import QueueCounts

app = group(summary="Run, look at and stop the queue's sender.")


@command(
    app,
    "run",
    examples=["cadenza daemon run", "cadenza daemon run --once"],
    more="""
    It stays in the foreground, for a terminal or a service manager; Ctrl-C or SIGTERM puts the
    work in hand back and ends it with 0. A second one for the same queue ends with 75.
    """,
)
def run_daemon(
    run: Run,
    once: Annotated[
        bool, typer.Option("--once", help="Send what can be sent now, then stop.")
    ] = False,
) -> None:
    """Send what is in the queue, and whatever comes later."""
    from cadenza_cli._sending import exit_code, outcome_of
    from cadenza_cli._takes import counts_document
    from cadenza_uploader import Daemon, stop_on_signals

    with run.queue() as queue, stop_on_signals() as stop, _observing(run) as observer:
        daemon = Daemon(
            queue,
            connect=run.connect,
            settings=run.settings,
            observer=observer,
            store=run.credentials,
        )
        if once:
            before = queue.list(unsent_only=True, limit=None)
            report = daemon.drain(stop)
            left = [queue.get(take.id) for take in before]
            code = exit_code([outcome_of(take, report.held) for take in left])
        else:
            daemon.run(stop)
            code = ExitCode.OK
        counts = queue.counts()

    def human() -> None:
        if once:
            run.out.line(
                f"{_words.plural(counts.unsent, 'take')} still unsent."
                if counts.unsent
                else "Everything is uploaded."
            )

    run.out.answer(
        {"counts": counts_document(counts), "stopped_by": stop.reason or None}, human=human
    )
    raise typer.Exit(code)


@contextlib.contextmanager
def _observing(run: Run) -> Generator[Observer]:
    """Lines on standard output, and bars below them where somebody watches."""
    from cadenza_cli._progress import Lines, watching

    lines = Lines(run.out.line, run.now)
    with watching(run.out) as bars:

        def observe(event: Event, /) -> None:
            lines(event)
            bars(event)

        yield observe


@command(app, "status", examples=["cadenza daemon status", "cadenza daemon status --limit 5"])
def status(run: Run, limit: _options.LimitOption = 20) -> None:
    """Say whether the daemon runs, and what it has to do.

    Ends with 1 when no daemon runs. The time left is reckoned from the latest uploads.
    """
    from cadenza_cli._takes import counts_document, hold_words, waiting_words
    from cadenza_uploader import daemon_status

    daemon = daemon_status(run.home)
    with run.queue() as queue:
        counts, rate = queue.counts(), queue.recent_rate()
        unsent = queue.list(unsent_only=True, limit=limit)
    now = run.now()
    left = _seconds_left(counts, rate) if daemon.running else None
    waiting = [
        waiting_words(take, holds=counts.holds, now=now, daemon_running=daemon.running)
        for take in unsent
    ]

    def human() -> None:
        if daemon.running:
            since = ""
            if daemon.started_at is not None:
                since = f", since {_words.clock_time(daemon.started_at)}"
            run.out.line(f"The daemon is running (pid {daemon.pid or 'unknown'}{since}).")
        else:
            run.out.line("No daemon is running. `cadenza daemon run` starts one.")
        run.out.line(
            f"{_words.plural(counts.unsent, 'take')} unsent "
            f"({_words.size(counts.unsent_bytes)}), {counts.failed} failed."
        )
        if counts.oldest_unsent_at is not None:
            run.out.line(f"The oldest was queued {_words.moment(counts.oldest_unsent_at, now)}.")
        if left is not None and rate is not None:
            speed = f"{_words.size(round(rate))}/s"
            run.out.line(f"About {_words.span(left)} left at {speed}, as of late.")
        for hold in counts.holds:
            run.out.line(f"Whole queue: {hold_words(hold.hold)} — {_words.clean(hold.why)}")
        if unsent:
            run.out.line()
            run.out.table(
                ["ID", "SIZE", "WAITS FOR"],
                [
                    [take.short_id, _words.size(take.size_bytes), words]
                    for take, words in zip(unsent, waiting, strict=True)
                ],
            )

    run.out.answer(
        {
            "running": daemon.running,
            "pid": daemon.pid,
            "started_at": _words.utc(daemon.started_at),
            "counts": counts_document(counts),
            "rate_bytes_per_second": None if rate is None else round(rate),
            "seconds_left": None if left is None else round(left),
            "unsent": [
                {"id": take.id, "kind": take.kind, "waits_for": words}
                for take, words in zip(unsent, waiting, strict=True)
            ],
        },
        ids=[str(daemon.pid)] if daemon.pid is not None else [],
        human=human,
    )
    if not daemon.running:
        raise typer.Exit(ExitCode.FAILURE)


def _seconds_left(counts: QueueCounts, rate: float | None) -> float | None:
    """How long what waits takes to send; None when it waits for something else than the line."""
    if rate is None or counts.holds or not (counts.pending or counts.uploading):
        return None
    return counts.unsent_bytes / rate


@command(app, "stop", examples=["cadenza daemon stop"])
def stop(run: Run) -> None:
    """Ask the daemon to stop; fine when none runs."""
    from cadenza_uploader import daemon_status, stop_daemon

    before = daemon_status(run.home)
    stopped = stop_daemon(run.home)
    if before.running and not stopped:
        raise CommandError(
            f"The daemon (pid {before.pid or 'unknown'}) did not stop in time.",
            code="still_running",
            next_step="Look at its log. Ending it the hard way loses nothing either.",
        )
    run.out.answer(
        {"stopped": stopped},
        human=lambda: run.out.line("Stopped." if stopped else "No daemon is running."),
    )
