"""Progress on standard error: bars where somebody watches, log lines where nobody does.

The only module that imports rich. Both classes are `cadenza_uploader.events.Observer`s: they are
called from the thread that does the work, and never raise.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING

from cadenza_cli import _words
from cadenza_uploader import events
from cadenza_uploader.take import Stage

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from cadenza_cli._output import Output

__all__ = ["Bars", "Lines", "elapsing", "event_words", "transfer", "watching"]


@contextlib.contextmanager
def watching(out: Output) -> Generator[events.Observer]:
    """Bars while the block runs, if a person watches; otherwise an observer that says nothing."""
    if not out.shows_progress:
        yield events.Silent()
        return
    with _bytes_progress(out) as progress:
        yield Bars(progress)


@contextlib.contextmanager
def transfer(out: Output, words: str) -> Generator[Callable[[int, int], None] | None]:
    """A bar for one download; None where nobody watches."""
    if not out.shows_progress:
        yield None
        return
    with _bytes_progress(out) as progress:
        task = progress.add_task(words, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextlib.contextmanager
def elapsing(
    out: Output, words: str, *, total_seconds: float
) -> Generator[Callable[[str, float], None] | None]:
    """A bar that fills with time; None where nobody watches."""
    if not out.shows_progress:
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=None))
    with Progress(
        *columns, console=_console(out), transient=True, redirect_stdout=sys.stdout.isatty()
    ) as progress:
        task = progress.add_task(words, total=total_seconds)
        yield lambda now, elapsed: progress.update(task, description=now, completed=elapsed)


def _bytes_progress(out: Output) -> Progress:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=_console(out),
        transient=True,
        # Above the bars where both are the same terminal; an answer that is piped on stays there.
        redirect_stdout=sys.stdout.isatty(),
    )


def _console(out: Output) -> Console:
    from rich.console import Console

    return Console(
        file=sys.stderr, no_color=not out.colours(sys.stderr), highlight=False, markup=False
    )


class Bars:
    """One bar for each thing that is under way: a copy, a transcoding, an asset on the wire."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def __call__(self, event: events.Event, /) -> None:
        """Move the bar the event is about."""
        match event:
            case events.IntakeProgress(path, done_bytes, total_bytes):
                name = _words.clean(PurePath(path).name)
                self.move(f"copy {path}", f"Queueing {name}", done_bytes, total_bytes)
            case events.FitProgress(path, share):
                name = _words.clean(PurePath(path).name)
                self.move(f"fit {path}", f"Making a 720p copy of {name}", int(share * 1000), 1000)
            case events.BytesSent(take_id, asset, sent_bytes, total_bytes):
                self.move(
                    f"send {take_id}",
                    f"Sending {take_id[:8]} ({asset})",
                    sent_bytes,
                    total_bytes,
                )
            case events.StageReached(take_id, stage) if stage < Stage.CONFIRMED:
                # From a daemon only stages are seen: a bar without bytes says that it goes on.
                self.move(f"send {take_id}", f"Sending {take_id[:8]} ({stage.word})", None, None)
            case events.TakeQueued():
                self._end("copy ", "fit ")
            case events.TakeUploaded(take):
                self._end(f"send {take.id}")
            case events.TakeDelayed(take_id=take_id) | events.TakeReleased(take_id=take_id):
                self._end(f"send {take_id}")
            case events.TakeFailed(take_id=take_id):
                self._end(f"send {take_id}")
            case _:
                pass

    def move(self, key: str, words: str, done: int | None, total: int | None) -> None:
        """Set a bar; `done` may go down when an attempt starts over, None keeps what it shows."""
        bar = self._bars.get(key)
        if bar is None:
            bar = self._bars[key] = self._progress.add_task(words, total=total)
        self._progress.update(bar, description=words, completed=done, total=total)

    def _end(self, *prefixes: str) -> None:
        for key in [key for key in self._bars if key.startswith(prefixes)]:
            self._progress.remove_task(self._bars.pop(key))


class Lines:
    """One plain line for each event that matters, for a service's log or a pipe."""

    def __init__(self, write: Callable[[str], None], now: Callable[[], datetime]) -> None:
        self._write = write
        self._now = now

    def __call__(self, event: events.Event, /) -> None:
        """Write the event down, if people would want to read it."""
        words = event_words(event)
        if words is not None:
            self._write(f"{self._now().astimezone():%Y-%m-%d %H:%M:%S} {words}")


def event_words(event: events.Event) -> str | None:
    """The event as a sentence; None for the small ticks in between."""
    match event:
        case events.UploaderStarted(pid, recovered):
            more = f", {_words.plural(recovered, 'take')} recovered" if recovered else ""
            return f"uploader started (pid {pid}{more})"
        case events.UploaderStopping(reason):
            return f"uploader stopping ({reason})"
        case events.UploaderIdle(wake_at):
            when = f" until {wake_at.astimezone():%H:%M:%S}" if wake_at else ""
            return f"nothing to send{when}"
        case events.QueueHeld(hold, sentence):
            return f"queue waits ({hold.value}): {_words.clean(sentence)}"
        case events.QueueReleased(hold):
            return f"queue goes on ({hold.value} is over)"
        case _:
            return _take_words(event)


def _take_words(event: events.Event) -> str | None:
    match event:
        case events.TakeClaimed(take):
            return f"take {take.short_id} begins ({_words.size(take.size_bytes)})"
        case events.StageReached(take_id, stage) if stage < Stage.CONFIRMED:
            return f"take {take_id[:8]} {stage.word}"
        case events.TakeUploaded(take):
            return f"take {take.short_id} uploaded"
        case events.TakeRecovered(take_id, what):
            return f"take {take_id[:8]} recovered ({what})"
        case events.TakeDelayed(take_id=take_id, sentence=sentence, due_at=due_at):
            when = f"{due_at.astimezone():%H:%M:%S}"
            return f"take {take_id[:8]} tried again at {when}: {_words.clean(sentence)}"
        case events.TakeReleased(take_id=take_id, sentence=sentence):
            return f"take {take_id[:8]} put back: {_words.clean(sentence)}"
        case events.TakeFailed(take_id=take_id, sentence=sentence, needs_user=needs_user):
            what = "needs you" if needs_user else "failed for now"
            return f"take {take_id[:8]} {what}: {_words.clean(sentence)}"
        case _:
            return None
