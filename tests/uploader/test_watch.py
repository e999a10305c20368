"""A watched folder: every finished recording once, nothing unfinished, nothing twice."""

import os
import threading
import time
from pathlib import Path

import pytest

from cadenza_uploader._home import Home
from cadenza_uploader._intake import Intake
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._signals import Stop
from cadenza_uploader._watch import FileSeen, FolderWatch
from cadenza_uploader.errors import NotFinishedError, TakeRefusedError
from tests.uploader.world import Clock, new_take


class Folder:
    """A folder, what is told of it, and files that misbehave on demand."""

    def __init__(self, home: Home, queue: TakeQueue, path: Path) -> None:
        path.mkdir()
        self.path = path
        self.home = home
        self.queue = queue
        self.clock = Clock()
        self.told: list[FileSeen] = []
        self.errors: dict[str, Exception] = {}
        self.taken: list[str] = []

    def watch(self, settle_seconds: float = 3.0) -> FolderWatch:
        return FolderWatch(
            self.path, self.queue, self.take_in, self.told.append, self.clock, settle_seconds
        )

    def take_in(self, path: Path) -> Intake:
        if path.name in self.errors:
            raise self.errors[path.name]
        self.taken.append(path.name)
        seed = len(self.taken)
        return Intake(self.queue.add(new_take(self.home, seed=seed)), (), fitted=False)

    def write(self, name: str, data: bytes = b"x") -> Path:
        (self.path / name).write_bytes(data)
        return self.path / name

    def outcomes(self) -> list[tuple[str, str]]:
        return [(file.path.name, file.outcome) for file in self.told]


@pytest.fixture
def folder(home: Home, queue: TakeQueue, tmp_path: Path) -> Folder:
    return Folder(home, queue, tmp_path / "recordings")


def test_a_file_is_queued_once_it_has_been_still(folder: Folder) -> None:
    watch = folder.watch()
    folder.write("a.mp4")
    watch.scan()
    folder.clock.advance(2)
    folder.write("a.mp4", b"xx")  # still being written
    watch.scan()
    folder.clock.advance(2)
    watch.scan()
    assert folder.taken == []
    folder.clock.advance(3)
    watch.scan()
    watch.scan()
    assert folder.taken == ["a.mp4"]
    assert folder.outcomes() == [("a.mp4", "waiting"), ("a.mp4", "queued")]


def test_a_restart_queues_nothing_twice(folder: Folder) -> None:
    folder.write("a.mp4")
    for _ in range(2):
        watch = folder.watch()
        watch.scan()
        folder.clock.advance(4)
        watch.scan()
    assert folder.taken == ["a.mp4"]


def test_a_new_file_under_an_old_name_is_a_new_recording(folder: Folder) -> None:
    watch = folder.watch(settle_seconds=0)
    folder.write("a.mp4")
    watch.scan()
    folder.write("a.mp4", b"another take")
    watch.scan()
    assert folder.taken == ["a.mp4", "a.mp4"]


def test_an_unfinished_recording_is_waited_for_and_an_invalid_one_is_not(folder: Folder) -> None:
    watch = folder.watch(settle_seconds=0)
    folder.write("growing.mp4")
    folder.write("long.mp4")
    folder.errors["growing.mp4"] = NotFinishedError("still being written")
    refused = TakeRefusedError(Path("long.mp4"), ["200 s"], ["duration"], fixable_by_fit=False)
    folder.errors["long.mp4"] = refused
    watch.scan()
    watch.scan()
    assert folder.outcomes() == [("growing.mp4", "waiting"), ("long.mp4", "limit_exceeded")]
    folder.errors.clear()
    watch.scan()
    assert folder.taken == ["growing.mp4"]  # long.mp4 was refused until it changes
    folder.write("long.mp4", b"shorter now")
    watch.scan()
    assert folder.taken == ["growing.mp4", "long.mp4"]


def test_only_plain_video_files_are_looked_at(folder: Folder, tmp_path: Path) -> None:
    folder.write("notes.txt")
    folder.write(".hidden.mp4")
    folder.write("a.mp4.part")
    (folder.path / "folder.mp4").mkdir()
    os.mkfifo(folder.path / "pipe.mp4")
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"not in this folder")
    (folder.path / "link.mp4").symlink_to(secret)
    assert folder.watch(settle_seconds=0).scan() == []


def test_a_file_that_goes_away_is_forgotten(folder: Folder) -> None:
    watch = folder.watch()
    path = folder.write("a.mp4")
    watch.scan()
    path.unlink()
    assert watch.scan() == []


@pytest.mark.parametrize("events", [True, False], ids=["with events", "by rescan alone"])
def test_a_running_watch_notices_by_itself_and_stops(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, events: bool
) -> None:
    if not events:
        monkeypatch.setitem(__import__("sys").modules, "watchfiles", None)
    stop = Stop()
    watch = FolderWatch(
        folder.path, folder.queue, folder.take_in, folder.told.append, time.monotonic, 0.1
    )
    thread = threading.Thread(target=watch.run, args=[stop], kwargs={"rescan_seconds": 0.2})
    thread.start()
    try:
        folder.write("a.mp4")
        deadline = time.monotonic() + 10
        while not folder.taken and time.monotonic() < deadline:
            time.sleep(0.02)
        assert folder.taken == ["a.mp4"]
    finally:
        stop.request("test")
        thread.join(10)
    assert not thread.is_alive()
