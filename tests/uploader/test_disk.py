"""A full, read-only or failing disk: no recording goes, and work goes on when it can."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from cadenza_uploader import _disk
from cadenza_uploader._disk import BALLAST_BYTES, Ballast, DiskTrouble, trouble_in
from cadenza_uploader._home import Home
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader.events import QueueHeld, QueueReleased
from cadenza_uploader.take import Hold, Status, Take
from tests.uploader.test_daemon import House
from tests.uploader.world import Clock, add_take, spool_names


def error(code: int) -> sqlite3.OperationalError:
    made = sqlite3.OperationalError("x")
    made.sqlite_errorcode = code
    return made


@pytest.fixture
def house(home: Home, queue: TakeQueue, clock: Clock) -> House:
    return House(home, queue, clock)


def test_each_trouble_is_told_apart() -> None:
    assert trouble_in(error(sqlite3.SQLITE_FULL)) is DiskTrouble.FULL
    assert trouble_in(error(sqlite3.SQLITE_IOERR_FSYNC)) is DiskTrouble.IO
    assert trouble_in(error(sqlite3.SQLITE_READONLY)) is DiskTrouble.READ_ONLY
    assert trouble_in(error(sqlite3.SQLITE_BUSY_SNAPSHOT)) is DiskTrouble.BUSY
    assert trouble_in(error(sqlite3.SQLITE_ERROR)) is None
    assert trouble_in(sqlite3.OperationalError("no code")) is None
    assert trouble_in(ValueError()) is None
    assert all(_disk.sentence_for(trouble) for trouble in DiskTrouble)


def test_ballast_is_laid_once_given_up_once_and_laid_again(home: Home) -> None:
    ballast = Ballast(home)
    assert not ballast.release()
    assert ballast.ensure()
    assert ballast.ensure()
    (file,) = home.path.glob("reserve.bin")
    assert file.stat().st_blocks * 512 >= BALLAST_BYTES  # real room, not a hole
    assert ballast.release()
    assert not file.exists()


def test_no_ballast_where_there_is_no_room(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ballast = Ballast(home)
    monkeypatch.setattr(ballast, "has_room", lambda: False)
    assert not ballast.ensure()


def test_no_ballast_is_left_half_written(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cadenza_uploader._disk.os.fsync", full)
    assert not Ballast(home).ensure()
    assert list(home.path.glob("reserve.bin")) == []


def test_a_vanished_disk_has_no_room(tmp_path: Path) -> None:
    assert not Ballast(Home(tmp_path / "gone")).has_room()


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Codes that the next confirmations' writes fail with."""
    codes: list[int] = []
    real = TakeQueue.confirmed

    def confirmed(self: TakeQueue, take: Take, *args: Any, **options: Any) -> Take:
        if codes:
            raise error(codes.pop(0))
        return real(self, take, *args, **options)

    monkeypatch.setattr(TakeQueue, "confirmed", confirmed)
    return codes


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR_FSYNC]
)
def test_an_outcome_that_cannot_be_written_is_written_later(
    house: House, failing: list[int], code: int
) -> None:
    take = add_take(house.queue)
    failing.append(code)
    report = house.daemon().drain(house.stop)
    assert report.uploaded == ()
    assert any(isinstance(e, QueueHeld) and e.hold is Hold.DISK for e in house.seen)
    assert any("video.mp4" in name for name in spool_names(house.home))
    report = house.daemon().drain(house.stop)
    assert report.uploaded == (take.id,)
    assert len(house.server.confirmed) == 1
    assert house.queue.get(take.id).attempts == 0


def test_the_running_daemon_goes_on_by_itself(house: House, failing: list[int]) -> None:
    add_take(house.queue)
    failing.append(sqlite3.SQLITE_FULL)
    thread = house.running()
    house.until(lambda: any(t.status is Status.UPLOADED for t in house.queue.list()))
    assert any(isinstance(e, QueueReleased) and e.hold is Hold.DISK for e in house.seen)
    house.stop.request("test")
    thread.join(10)


def test_the_ballast_makes_room_for_what_is_confirmed(house: House, failing: list[int]) -> None:
    add_take(house.queue)
    Ballast(house.home).ensure()
    failing.append(sqlite3.SQLITE_FULL)
    house.daemon().drain(house.stop)
    assert not (house.home.path / "reserve.bin").exists()


def test_a_queue_that_is_locked_by_another_program_is_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D06: a backup tool holds the lock longer than anybody should."""
    take = add_take(house.queue)
    house.queue._db.conn.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(house.home.database, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        house.queue.pause()
    released: list[bool] = []

    def release(event: object) -> None:
        if isinstance(event, QueueHeld) and not released:
            released.append(True)
            other.execute("ROLLBACK")

    house.seen = _Telling(release)
    thread = house.running()
    house.until(lambda: any(t.status is Status.UPLOADED for t in house.queue.list()))
    house.stop.request("test")
    thread.join(10)
    other.close()
    assert released
    assert house.queue.get(take.id).attempts == 0


class _Telling(list[Any]):
    """An observer's list that also acts on what it hears."""

    def __init__(self, act: Any) -> None:
        super().__init__()
        self._act = act

    def append(self, event: Any) -> None:
        super().append(event)
        self._act(event)
