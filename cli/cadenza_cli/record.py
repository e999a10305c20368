"""`cadenza record`: a take with a moving picture, a visible timer and a tone, or from a camera."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cadenza_cli import _options, _words
from cadenza_cli._app import app
from cadenza_cli._command import command
from cadenza_cli._errors import CommandError, ExitCode
from cadenza_cli._run import Run


class Scenario(StrEnum):
    """Bad networks a harness can send through."""

    PRACTICE_ROOM = "practice-room"


_LONGEST_SECONDS = 180.0
_COUNTDOWN_SECONDS = 3


@command(
    app,
    "record",
    examples=[
        "cadenza record --seconds 20",
        "cadenza record --seconds 20 --upload --piece PIECE --wait",
        "cadenza record --camera /dev/video0 --seconds 180 -o lesson.mp4",
        "cadenza record --count 200 --seconds 1 --scenario practice-room",
    ],
    more="""
    Without --camera the picture is made: a moving pattern with a timer, and a tone, so that a
    whole loop can be tried anywhere. A recording stops by itself at 3 minutes; Ctrl-C stops it
    earlier and keeps what was recorded.
    """,
)
def record(
    run: Run,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.5, help="How long; 180 at most.")
    ] = 10.0,
    camera: Annotated[
        str | None, typer.Option("--camera", metavar="DEVICE", help="Record from a real device.")
    ] = None,
    tone: Annotated[
        float, typer.Option("--tone", metavar="HZ", min=20, max=20000, help="The made tone.")
    ] = 440.0,
    silent: Annotated[bool, typer.Option("--silent", help="Without sound.")] = False,
    count: Annotated[
        int, typer.Option("--count", min=1, help="How many takes; with --scenario.")
    ] = 1,
    scenario: Annotated[
        Scenario | None,
        typer.Option("--scenario", help="Send them over a bad network here, and report."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Decides which requests fail.")] = 1,
    upload: Annotated[
        bool, typer.Option("--upload", help="Queue it at once; without -o, no copy is left here.")
    ] = False,
    piece: _options.PieceOption = None,
    exercise: _options.ExerciseOption = None,
    session: _options.SessionOption = None,
    notes: _options.NotesOption = None,
    page: _options.PageOption = None,
    measure: _options.MeasureOption = None,
    measure_end: _options.MeasureEndOption = None,
    wait: _options.WaitOption = False,
    timeout: _options.TimeoutOption = None,
    no_daemon: _options.NoDaemonOption = False,
) -> None:
    """Record a take: a made one, or from a camera."""
    if scenario is not None:
        _practise(run, count=count, seconds=min(seconds, _LONGEST_SECONDS), seed=seed)
        return
    if count != 1:
        raise typer.BadParameter("--count goes with --scenario.")
    from cadenza_cli._context import context_from
    from cadenza_cli._queueing import Orders, queue_and_send

    # Checked before the recording, not after three minutes of it.
    context = None
    if upload:
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
        if wait and no_daemon:
            raise typer.BadParameter("--wait and --no-daemon exclude each other.")
    if seconds > _LONGEST_SECONDS:
        run.out.note("A take stops at 3:00.")
        seconds = _LONGEST_SECONDS
    destination = output or _free_name(run.now())
    if destination.exists():
        raise CommandError(
            f"{destination} exists already.", code="file_exists", next_step="Give another name."
        )
    document = _make(
        run, destination, seconds=seconds, camera=camera, tone_hz=tone, audio=not silent
    )
    if context is None:
        run.out.answer(
            document,
            ids=[str(destination)],
            human=lambda: run.out.line(
                f"{destination}  {_words.duration(document['duration_ms'] / 1000)}  "
                f"{_words.size(document['size_bytes'])}"
            ),
        )
        return
    orders = Orders(context, send=not no_daemon, wait=wait, timeout_seconds=timeout)
    queue_and_send(run, [destination], orders, ours=output is None)


def _practise(run: Run, *, count: int, seconds: float, seed: int) -> None:
    """The practice-room harness; exit 1 when a take was lost, doubled or left behind."""
    from cadenza_cli._practice_room import practise, show

    report = practise(run, count=count, seconds=seconds, seed=seed)
    run.out.answer(report.document(), ids=[], human=lambda: show(run, report))
    if not report.holds:
        raise typer.Exit(ExitCode.FAILURE)


def _make(
    run: Run, destination: Path, *, seconds: float, camera: str | None, tone_hz: float, audio: bool
) -> dict[str, Any]:
    """Record, and say what came of it. Keys: file, duration_ms, width, height, size_bytes."""
    from cadenza_uploader import record_take, stop_on_signals

    with stop_on_signals() as stop:
        if camera is not None:
            _count_down(run)
        with _timer(run, seconds) as on_second:
            facts = record_take(
                destination,
                seconds=seconds,
                tone_hz=tone_hz,
                audio=audio,
                camera=camera,
                on_second=on_second,
                stop=lambda: stop.requested,
            )
    return {
        "file": str(destination),
        "duration_ms": facts.duration_ms,
        "width": facts.width,
        "height": facts.height,
        "size_bytes": facts.size_bytes,
    }


def _count_down(run: Run) -> None:
    for left in range(_COUNTDOWN_SECONDS, 0, -1):
        run.out.note(f"{left} …")
        run.world.sleep(1.0)
    run.out.note("Recording. Ctrl-C stops and keeps it.")


@contextlib.contextmanager
def _timer(run: Run, seconds: float) -> Generator[Callable[[float, float], None] | None]:
    """A bar of elapsed and remaining time, where somebody watches."""
    from cadenza_cli._progress import elapsing

    with elapsing(run.out, "Recording", total_seconds=seconds) as move:
        if move is None:
            yield None
            return

        def on_second(elapsed: float, remaining: float) -> None:
            words = f"Recording {_words.duration(elapsed)}, {_words.duration(remaining)} left"
            move(words, elapsed)

        yield on_second


def _free_name(now: datetime) -> Path:
    stem = f"take-{now.astimezone():%Y%m%d-%H%M%S}"
    name, number = Path(f"{stem}.mp4"), 1
    while name.exists():
        number += 1
        name = Path(f"{stem}-{number}.mp4")
    return name
