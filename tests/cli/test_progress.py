from __future__ import annotations

import io
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from cadenza_cli._output import Output
from cadenza_cli._progress import Bars, Lines, elapsing, event_words, transfer, watching
from cadenza_uploader import events
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader.take import Hold, Stage, Take
from tests.uploader.world import add_take

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def take(queue: TakeQueue) -> Take:
    return add_take(queue)


def _every_event(take: Take) -> list[events.Event]:
    return [
        events.IntakeProgress("/home/ada/a.mp4", 10, 100),
        events.FitProgress("/home/ada/a.mp4", 0.5),
        events.TakeQueued(take),
        events.TakeRecovered(take.id, "reclaimed"),
        events.TakeClaimed(take),
        events.StageReached(take.id, Stage.REGISTERED),
        events.BytesSent(take.id, "video", 5, 10),
        events.TakeDelayed(take.id, "lost", "The connection was cut.", 1, NOW),
        events.TakeReleased(take.id, Hold.NETWORK, "offline", "No network."),
        events.TakeFailed(take.id, "forbidden", "Not allowed.", needs_user=True),
        events.TakeFailed(take.id, "attempts_exhausted", "Too often.", needs_user=False),
        events.TakeUploaded(take),
        events.TakeCleaned(take.id),
        events.QueueHeld(Hold.AUTH, "Sign in."),
        events.QueueReleased(Hold.AUTH),
        events.UploaderStarted(17, 2),
        events.UploaderStarted(17, 0),
        events.UploaderIdle(NOW),
        events.UploaderIdle(None),
        events.UploaderStopping("SIGTERM"),
    ]


def test_the_list_of_events_is_complete(take: Take) -> None:
    assert {type(event) for event in _every_event(take)} == set(get_args(events.Event))


def test_every_event_that_matters_is_one_line(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    write = Lines(lines.append, lambda: NOW)
    for event in _every_event(take):
        write(event)
    told = [line.split(" ", 2)[2] for line in lines]
    short = take.short_id
    clock = f"{NOW.astimezone():%H:%M:%S}"
    assert told == [
        f"take {short} recovered (reclaimed)",
        f"take {short} begins (4.3 kB)",
        f"take {short} registered",
        f"take {short} tried again at {clock}: The connection was cut.",
        f"take {short} put back: No network.",
        f"take {short} needs you: Not allowed.",
        f"take {short} failed for now: Too often.",
        f"take {short} uploaded",
        "queue waits (auth): Sign in.",
        "queue goes on (auth is over)",
        "uploader started (pid 17, 2 takes recovered)",
        "uploader started (pid 17)",
        f"nothing to send until {clock}",
        "nothing to send",
        "uploader stopping (SIGTERM)",
    ]
    assert lines[0].startswith(f"{NOW.astimezone():%Y-%m-%d %H:%M:%S} ")


def test_a_sentence_in_the_log_cannot_steer_the_terminal(take: Take) -> None:
    event = events.TakeFailed(take.id, "x", "no \x1b[31m", needs_user=True)
    assert "\x1b" not in (event_words(event) or "")


def test_confirmed_is_said_once_as_uploaded(take: Take) -> None:
    assert event_words(events.StageReached(take.id, Stage.CONFIRMED)) is None


class FakeProgress:
    """The three calls of rich's Progress that are used."""

    def __init__(self) -> None:
        self.bars: dict[int, dict[str, Any]] = {}
        self.made = 0

    def add_task(self, words: str, *, total: int) -> int:
        self.made += 1
        self.bars[self.made] = {"description": words, "total": total, "completed": 0}
        return self.made

    def update(self, bar: int, **facts: Any) -> None:
        self.bars[bar].update(facts)

    def remove_task(self, bar: int) -> None:
        del self.bars[bar]


def test_one_bar_for_each_thing_under_way(take: Take) -> None:
    progress = FakeProgress()
    bars = Bars(progress)  # type: ignore[arg-type]  # a test's stand-in
    other = replace(take, id="f" * 36)
    bars(events.IntakeProgress("/a/b\x1b.mp4", 10, 100))
    bars(events.FitProgress("/a/b.mp4", 0.25))
    assert [bar["description"] for bar in progress.bars.values()] == [
        "Queueing b\ufffd.mp4",
        "Making a 720p copy of b.mp4",
    ]
    assert [bar["completed"] for bar in progress.bars.values()] == [10, 250]
    bars(events.TakeQueued(take))
    assert progress.bars == {}
    bars(events.BytesSent(take.id, "video", 900, 1000))
    bars(events.BytesSent(other.id, "video", 1, 1000))
    bars(events.BytesSent(take.id, "video", 100, 1000))
    bar = next(iter(progress.bars.values()))
    assert (bar["completed"], bar["description"]) == (100, f"Sending {take.short_id} (video)")
    bars(events.TakeUploaded(take))
    assert len(progress.bars) == 1
    bars(events.TakeDelayed(other.id, "lost", "x", 1, NOW + timedelta(seconds=1)))
    assert progress.bars == {}


@pytest.mark.parametrize(
    "end",
    [
        lambda take: events.TakeReleased(take.id, None, "x", "x"),
        lambda take: events.TakeFailed(take.id, "x", "x", needs_user=True),
    ],
)
def test_a_bar_ends_with_its_attempt(take: Take, end: Any) -> None:
    progress = FakeProgress()
    bars = Bars(progress)  # type: ignore[arg-type]  # a test's stand-in
    bars(events.BytesSent(take.id, "video", 1, 10))
    bars(events.TakeCleaned("nobody"))
    assert len(progress.bars) == 1
    bars(end(take))
    assert progress.bars == {}


# ── who is watching ────────────────────────────────────────────────────────────────────────────


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nobody_watches_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(env={})
    with watching(out) as observer:
        assert isinstance(observer, events.Silent)
    with transfer(out, "Downloading") as progress:
        assert progress is None
    with elapsing(out, "Recording", total_seconds=3) as move:
        assert move is None
    assert capsys.readouterr().err == ""


def test_bars_are_drawn_on_standard_error_and_leave_nothing_behind(
    take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    screen, piped = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdout", piped)
    out = Output(env={"NO_COLOR": "1"})
    with watching(out) as observer:
        assert isinstance(observer, Bars)
        observer(events.BytesSent(take.id, "video", 500_000, 1_000_000))
    with transfer(out, "Downloading 6f0c") as progress:
        assert progress is not None
        progress(1, 2)
    with elapsing(out, "Recording", total_seconds=3) as move:
        assert move is not None
        move("Recording 0:01, 0:02 left", 1.0)
    drawn = screen.getvalue()
    assert f"Sending {take.short_id} (video)" in drawn
    assert "0.5/1.0 MB" in drawn
    assert "Downloading 6f0c" in drawn
    assert "Recording 0:01, 0:02 left" in drawn
    assert "\x1b[32m" not in drawn
    assert piped.getvalue() == ""
