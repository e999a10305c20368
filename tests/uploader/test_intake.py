"""Into the queue: a real recording survives, everything else leaves no trace, nothing is sent."""

import errno
import fcntl
import hashlib
import os
import re
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from cadenza_conformance.decisions import vectors
from cadenza_uploader import _intake, _media, _spool, enqueue
from cadenza_uploader._home import Home
from cadenza_uploader._media import MediaFacts, MediaLimits, check_limits
from cadenza_uploader._media._orientation import Orientation, display_size, usable_aspect
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._recovery import adopt
from cadenza_uploader._settings import Settings
from cadenza_uploader.errors import (
    FitFailedError,
    NotATakeError,
    NotFinishedError,
    SourceChangedError,
    SpoolFullError,
    TakeRefusedError,
    UploaderError,
)
from cadenza_uploader.events import Event, FitProgress, IntakeProgress, TakeQueued
from cadenza_uploader.take import Account, Stage, Status, TakeContext
from tests import sockets
from tests.media.clips import make_take
from tests.uploader.world import NOON, PIECE, STUDENT, Clock, spool_names

pytestmark = pytest.mark.real("clips")

CONTEXT = TakeContext(piece_id=PIECE, measure_number=17, notes="the shift")
RECORDED = NOON - 3600


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A few real recordings, made once."""
    place = tmp_path_factory.mktemp("takes")
    return {
        "good": make_take(place / "good.mp4", 3.0),
        "mute": make_take(place / "mute.mp4", 3.0, audio=False),
        "wide": make_take(place / "wide.mp4", 3.0, width=1920, height=1080),
        "other": make_take(place / "other.mp4", 2.5),
    }


@pytest.fixture
def take_file(clips: dict[str, Path], tmp_path: Path) -> Callable[..., Path]:
    """A copy of a clip that a test may do anything with."""

    def copy(kind: str = "good", name: str = "my take.mp4") -> Path:
        path = tmp_path / name
        shutil.copyfile(clips[kind], path)
        os.utime(path, (RECORDED, RECORDED))
        return path

    return copy


@pytest.fixture
def settings(home: Home) -> Settings:
    return Settings.load({}, home=home.path)


Bring = Callable[..., Any]


@pytest.fixture
def bring(queue: TakeQueue, settings: Settings, clock: Clock) -> Bring:
    def put(path: Path, **changes: Any) -> Any:
        given: dict[str, Any] = {
            "account": STUDENT, "settings": settings, "clock": clock, **changes,
        }  # fmt: skip
        return enqueue(queue, path, given.pop("context", CONTEXT), **given)

    return put


def untouched(path: Path) -> tuple[bytes, int, int, int, int]:
    info = path.stat()
    return path.read_bytes(), info.st_mtime_ns, info.st_mode, info.st_ino, info.st_nlink


def nothing_queued(queue: TakeQueue, home: Home) -> bool:
    return queue.list() == [] and spool_names(home) == []


# ── a good take ────────────────────────────────────────────────────────────────────────────────


def test_a_recording_is_queued_as_it_is(
    queue: TakeQueue, home: Home, bring: Bring, take_file: Callable[..., Path]
) -> None:
    path, seen = take_file(), list[Event]()
    data = path.read_bytes()
    intake = bring(path, observer=seen.append)
    take = queue.get(intake.take.id)
    assert intake.take == take
    assert (intake.fitted, intake.already_queued, intake.warnings) == (False, False, ())
    assert (take.status, take.stage, take.account) == (Status.PENDING, Stage.RECORDED, STUDENT)
    assert (take.context, take.source_path) == (CONTEXT, str(path))
    assert (take.width, take.height, take.duration_seconds) == (1280, 720, 3)
    assert take.duration_ms == pytest.approx(3000, abs=60)
    kept = home.spool / take.video.name
    assert kept.read_bytes() == data
    assert take.video.sha256 == hashlib.sha256(data).hexdigest()
    assert (take.video.size_bytes, take.video.content_type) == (len(data), "video/mp4")
    assert take.captured_at == datetime.fromtimestamp(RECORDED, UTC)
    assert seen[-1] == TakeQueued(take)
    assert IntakeProgress(str(path), len(data), len(data)) in seen


def test_a_thumbnail_comes_with_it(
    home: Home, bring: Bring, take_file: Callable[..., Path]
) -> None:
    take = bring(take_file()).take
    assert take.thumbnail is not None
    jpeg = (home.spool / take.thumbnail.name).read_bytes()
    assert jpeg.startswith(b"\xff\xd8")
    assert take.thumbnail.sha256 == hashlib.sha256(jpeg).hexdigest()
    assert take.thumbnail.content_type == "image/jpeg"
    assert take.size_bytes == take.video.size_bytes + len(jpeg)


def test_the_user_s_file_is_left_exactly_as_it_was(
    bring: Bring, take_file: Callable[..., Path]
) -> None:
    path = take_file()
    before = untouched(path)
    bring(path, delete_source=True)
    assert untouched(path) == before  # asked to go later, once the server has confirmed it


def test_what_was_said_is_what_is_stored(bring: Bring, take_file: Callable[..., Path]) -> None:
    at = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
    take = bring(take_file(), delete_source=True, captured_at=at, account=Account("https://x")).take
    assert (take.delete_source, take.captured_at, take.account) == (True, at, Account("https://x"))


def test_warnings_do_not_stop_a_take(bring: Bring, take_file: Callable[..., Path]) -> None:
    intake = bring(take_file("mute"))
    assert [warning.code for warning in intake.warnings] == ["no_audio"]
    assert intake.take.status is Status.PENDING


def test_a_take_without_a_thumbnail_is_a_take(
    bring: Bring, take_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _media.inspect
    monkeypatch.setattr(
        _media, "inspect", lambda path, **more: replace(real(path, **more), thumbnail_jpeg=None)
    )
    assert bring(take_file()).take.thumbnail is None  # M07


def test_what_lies_beside_the_files_is_enough_to_write_the_row_again(
    queue: TakeQueue, home: Home, bring: Bring, take_file: Callable[..., Path]
) -> None:
    take = bring(take_file(), delete_source=True).take
    queue.mark_for_removal(take.id)
    queue.forget(take.id)
    assert queue.list() == []
    assert adopt(queue, lambda _: None) == ((take.id,), ())
    again = queue.get(take.id)
    assert again == replace(
        take, create_sent=True, created_at=again.created_at, updated_at=again.updated_at
    )


# ── no network (I14) ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
def heard() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(kind: str, _family: int, _where: Any) -> None:
        seen.append(kind)

    sockets.listeners.append(note)
    yield seen
    sockets.listeners.remove(note)


def test_no_network_is_touched_not_even_the_loopback(
    bring: Bring, take_file: Callable[..., Path], heard: list[str]
) -> None:
    bring(take_file())
    assert heard == []


def test_the_guard_would_have_noticed(heard: list[str]) -> None:
    with socket.socket() as client:
        client.connect_ex(("127.0.0.1", 1))
    assert heard == ["socket.connect_ex"]


# ── limits ─────────────────────────────────────────────────────────────────────────────────────


def test_too_large_a_picture_is_refused_with_both_numbers(
    queue: TakeQueue, home: Home, bring: Bring, take_file: Callable[..., Path]
) -> None:
    path = take_file("wide")
    before = untouched(path)
    with pytest.raises(TakeRefusedError, match=r"1920×1080.*1280×720.*--fit") as caught:
        bring(path)
    assert (caught.value.codes, caught.value.fixable_by_fit) == (("resolution_exceeded",), True)
    assert nothing_queued(queue, home)
    assert untouched(path) == before


def test_too_long_a_take_is_refused_and_no_copy_would_help(
    queue: TakeQueue, home: Home, bring: Bring, take_file: Callable[..., Path]
) -> None:
    short = Settings.load({}, home=home.path, max_seconds=2)
    with pytest.raises(TakeRefusedError, match=r"0:03.*limit is 0:02") as caught:
        bring(take_file(), settings=short, fit=True)  # nothing is ever cut (B-43)
    assert caught.value.codes == ("duration_exceeded",)
    assert not caught.value.fixable_by_fit
    assert "--fit" not in str(caught.value)
    assert nothing_queued(queue, home)


def test_too_large_a_file_is_refused_with_both_numbers(
    queue: TakeQueue, home: Home, bring: Bring, take_file: Callable[..., Path]
) -> None:
    path = take_file()
    small = Settings.load({}, home=home.path, max_upload_bytes=path.stat().st_size - 1)
    with pytest.raises(TakeRefusedError, match="MB"):
        bring(path, settings=small)
    exact = Settings.load({}, home=home.path, max_upload_bytes=path.stat().st_size)
    assert bring(path, settings=exact).take


@pytest.mark.parametrize("how", ["argument", "setting"])
def test_a_fitted_copy_is_queued_in_place_of_what_is_too_large(
    home: Home, bring: Bring, take_file: Callable[..., Path], how: str
) -> None:
    path, seen = take_file("wide"), list[Event]()
    before = untouched(path)
    changes: dict[str, Any] = (
        {"fit": True}
        if how == "argument"
        else {"settings": Settings.load({}, home=home.path, fit="auto")}
    )
    intake = bring(path, observer=seen.append, delete_source=True, **changes)
    take = intake.take
    assert intake.fitted
    assert (take.width, take.height, take.duration_seconds) == (1280, 720, 3)
    kept = home.spool / take.video.name
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == take.video.sha256
    assert kept.stat().st_size == take.video.size_bytes
    # It is the copy that is kept, and not the original under the copy's description.
    facts = _media.probe_in_process(kept)
    assert (facts.width, facts.height) == (1280, 720)
    assert kept.read_bytes() != path.read_bytes()
    assert untouched(path) == before
    # A copy proves nothing about the original, which is therefore never deleted for it.
    assert not take.delete_source
    shares = [event.share for event in seen if isinstance(event, FitProgress)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1, abs=0.05)
    assert [name for name in spool_names(home) if "fitted" in name] == []


def test_what_is_within_the_limits_is_not_made_anew(
    bring: Bring, take_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_media, "fit", pytest.fail)
    assert not bring(take_file(), fit=True).fitted


def test_a_copy_that_cannot_be_made_leaves_nothing(
    queue: TakeQueue,
    home: Home,
    bring: Bring,
    take_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise _media.DamagedMediaError("damaged", "Its picture cannot be decoded.")

    path = take_file("wide")
    before = untouched(path)
    monkeypatch.setattr(_media, "fit", broken)
    with pytest.raises(FitFailedError, match="could not be made: Its picture"):
        bring(path, fit=True)
    assert nothing_queued(queue, home)
    assert untouched(path) == before


def test_a_copy_that_is_still_too_large_is_refused(
    queue: TakeQueue,
    home: Home,
    bring: Bring,
    take_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        _media, "fit", lambda source, destination, **_: shutil.copyfile(source, destination)
    )
    with pytest.raises(TakeRefusedError) as caught:
        bring(take_file("wide"), fit=True)
    assert not caught.value.fixable_by_fit
    assert nothing_queued(queue, home)


# ── what is no take ────────────────────────────────────────────────────────────────────────────


def make_text(path: Path) -> None:
    path.write_text("#EXTM3U\nhttp://127.0.0.1/secret\n")


def make_cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (make_text, NotATakeError),
        (lambda path: path.write_bytes(b""), NotATakeError),
        (make_cut, UploaderError),
        (make_fifo, NotATakeError),
        (make_directory, NotATakeError),
        (Path.unlink, FileNotFoundError),
    ],
    ids=["text", "empty", "cut short", "fifo", "directory", "missing"],
)
def test_what_is_no_take_leaves_nothing_behind(
    queue: TakeQueue,
    home: Home,
    bring: Bring,
    take_file: Callable[..., Path],
    make: Callable[[Path], object],
    error: type[Exception],
) -> None:
    path = take_file()
    make(path)
    with pytest.raises(error, match=re.escape(path.name)):
        bring(path)
    assert nothing_queued(queue, home)


def test_a_recording_without_its_index_may_still_be_being_written(
    queue: TakeQueue, home: Home, bring: Bring, take_file: Callable[..., Path]
) -> None:
    path = take_file()
    data = path.read_bytes()
    start = data.index(b"moov") - 4
    size = int.from_bytes(data[start : start + 4], "big")
    path.write_bytes(data[:start] + data[start + size :])
    with pytest.raises(NotFinishedError, match="was not queued") as caught:
        bring(path)
    assert caught.value.retryable
    assert nothing_queued(queue, home)


def test_a_recorder_that_still_holds_the_file_is_waited_for(
    queue: TakeQueue, home: Home, bring: Bring, take_file: Callable[..., Path]
) -> None:
    path = take_file()
    with path.open("r+b") as recorder:
        fcntl.flock(recorder, fcntl.LOCK_EX)
        with pytest.raises(NotFinishedError, match="still writing"):  # F14
            bring(path)
    assert nothing_queued(queue, home)
    assert bring(path).take


def test_an_error_of_the_system_while_probing_is_told_as_it_is(
    queue: TakeQueue,
    home: Home,
    bring: Bring,
    take_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(_media, "inspect", broken)
    with pytest.raises(OSError, match="Input/output error"):
        bring(take_file())
    assert nothing_queued(queue, home)


# ── a source that does not hold still ──────────────────────────────────────────────────────────


def replaced(path: Path) -> None:
    other = path.with_name("other.mp4")
    shutil.copyfile(path, other)
    other.replace(path)


def touched(path: Path) -> None:
    os.utime(path, (1, 1))


@pytest.mark.parametrize("change", [replaced, touched, Path.unlink, make_fifo])
def test_what_was_measured_has_to_be_what_was_copied(
    queue: TakeQueue,
    home: Home,
    bring: Bring,
    take_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
) -> None:
    # The copy is through when the file changes, but the probe is not: it opened the name anew.
    path, real = take_file(), _media.inspect
    copied = _spool.copy_in

    def slow(name: Path, **more: Any) -> Any:
        found = real(name, **more)
        deadline = time.monotonic() + 30
        while not done and time.monotonic() < deadline:
            time.sleep(0.001)
        change(path)
        return found

    done: list[bool] = []

    def noted(*arguments: Any, **more: Any) -> Any:
        try:
            return copied(*arguments, **more)
        finally:
            done.append(True)

    monkeypatch.setattr(_media, "inspect", slow)
    monkeypatch.setattr(_spool, "copy_in", noted)
    with pytest.raises(SourceChangedError, match="while it was being looked at"):
        bring(path)
    assert nothing_queued(queue, home)


def test_a_source_that_grows_while_it_is_copied_is_not_queued(
    queue: TakeQueue, home: Home, bring: Bring, take_file: Callable[..., Path]
) -> None:
    path = take_file()

    def grow(event: Event) -> None:
        with path.open("ab") as file:
            file.write(b"x")

    with pytest.raises(SourceChangedError):
        bring(path, observer=grow)
    assert nothing_queued(queue, home)


# ── nothing half done ──────────────────────────────────────────────────────────────────────────


def test_a_full_disk_is_told_and_leaves_nothing(
    queue: TakeQueue,
    home: Home,
    bring: Bring,
    take_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = _spool.write_in

    def full(data: bytes, destination: Path) -> Any:
        if destination.name == "take.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(data, destination)

    monkeypatch.setattr(_spool, "write_in", full)
    with pytest.raises(SpoolFullError):
        bring(take_file())
    assert nothing_queued(queue, home)


def test_an_observer_that_fails_leaves_nothing(
    queue: TakeQueue, home: Home, bring: Bring, take_file: Callable[..., Path]
) -> None:
    def broken(_event: Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bring(take_file(), observer=broken)
    assert nothing_queued(queue, home)


def test_a_row_that_cannot_be_written_costs_no_recording(
    queue: TakeQueue,
    home: Home,
    bring: Bring,
    take_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_new: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(queue, "add", full)
        with pytest.raises(sqlite3.OperationalError):
            bring(take_file())
    # C2: the files are published and durable; the next start writes the row.
    adopted, unreadable = adopt(queue, lambda _: None)
    assert (len(adopted), unreadable) == (1, ())
    assert len(queue.list()) == 1


# ── twice the same (C15) ───────────────────────────────────────────────────────────────────────


def test_the_same_recording_for_the_same_context_is_queued_once(
    queue: TakeQueue, home: Home, bring: Bring, take_file: Callable[..., Path]
) -> None:
    first = bring(take_file())
    names = spool_names(home)
    again = bring(take_file(name="a copy.mp4"))
    assert (again.already_queued, again.take) == (True, first.take)
    assert spool_names(home) == names
    elsewhere = bring(take_file(), context=replace(CONTEXT, measure_number=18))
    assert not elsewhere.already_queued
    other = bring(take_file("other"))
    assert not other.already_queued
    assert len(queue.list()) == 3


# ── times, names, ids ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("modified", "captured"),
    [
        (NOON + 86_400, NOON),  # B-28: a camera whose clock is ahead
        (NOON, NOON),
        (NOON - 1, NOON - 1),
        (-86_400, 0),  # before the epoch: no time at all
        (2**35, NOON),
    ],
)
def test_a_take_is_never_from_the_future(
    bring: Bring, take_file: Callable[..., Path], modified: float, captured: float
) -> None:
    path = take_file()
    try:
        os.utime(path, (modified, modified))
    except OSError:  # a file system that cannot hold the year has no such file
        pytest.skip("this file system does not hold the time")
    assert bring(path).take.captured_at == datetime.fromtimestamp(captured, UTC)


def test_a_time_that_was_told_is_bounded_too(bring: Bring, take_file: Callable[..., Path]) -> None:
    now = datetime.fromtimestamp(NOON, UTC)
    take = bring(take_file(), captured_at=now + timedelta(days=1)).take
    assert take.captured_at == now
    naive = (now - timedelta(hours=2)).astimezone().replace(tzinfo=None)
    assert bring(take_file("other"), captured_at=naive).take.captured_at == now - timedelta(hours=2)


def test_a_year_that_a_date_cannot_hold_is_no_crash() -> None:
    assert _intake._captured(None, 2.0**60, NOON) == datetime.fromtimestamp(NOON, UTC)
    assert _intake._captured(None, -(2.0**60), NOON) == datetime.fromtimestamp(0, UTC)


ODD_NAMES = [
    "line\nbreak.mp4", "tab\t.mp4", "\u202emoc.4pm.mp4", "-rf.mp4", "take:1.mp4", "a'b\"c.mp4",
    "Übung №3 🎻.mp4", "x" * 251 + ".mp4", "..mp4", "%s?#.mp4",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_no_name_is_too_odd(
    home: Home, bring: Bring, take_file: Callable[..., Path], name: str
) -> None:
    path = take_file(name=name)
    take = bring(path).take
    assert take.source_path == str(path)
    assert str(take.video.name) == f"{take.id}/video.mp4"  # never the user's name (F10)


def test_a_name_that_is_no_text_is_queued_and_its_original_kept(
    queue: TakeQueue, bring: Bring, take_file: Callable[..., Path]
) -> None:
    path = take_file()
    odd = path.rename(path.with_name(os.fsdecode(b"take \xff\xfe.mp4")))
    intake = bring(odd, delete_source=True)
    take = queue.get(intake.take.id)
    assert (take.source_path, take.delete_source) == (None, False)
    assert [warning.code for warning in intake.warnings] == ["source_kept"]
    assert bring(odd).already_queued  # without the wish there is nothing to warn of
    assert bring(odd).warnings == ()


def changed(context: TakeContext, name: str, value: Any) -> TakeContext:
    changes: dict[str, Any] = {name: value}
    return replace(context, **changes)


@pytest.mark.parametrize("name", ["piece_id", "exercise_id", "session_id"])
@pytest.mark.parametrize("value", ["", "moonlight", "0b1a2c3d"])
def test_an_id_that_is_none_is_refused_before_anything_is_copied(
    queue: TakeQueue, home: Home, bring: Bring, name: str, value: str
) -> None:
    # Queued, it would stop the uploader three times and then be called poison.
    with pytest.raises(ValueError, match=f"{name} is not an id"):
        bring(Path("/nowhere.mp4"), context=changed(CONTEXT, name, value))
    assert nothing_queued(queue, home)


# ── the shared vectors ─────────────────────────────────────────────────────────────────────────

LIMITS = vectors("limits").cases
ROUNDING = vectors("duration_rounding").cases
DISPLAY = vectors("display_size").cases


@pytest.mark.parametrize("case", LIMITS, ids=[case["about"] for case in LIMITS])
def test_limits_are_those_of_the_shared_vectors(case: dict[str, Any]) -> None:
    facts = MediaFacts(
        rotation=0, mirrored=False, hdr=None, interlaced=False, faststart=True, **case["facts"]
    )
    broken = check_limits(facts, MediaLimits())
    assert sorted(violation.code for violation in broken) == sorted(case["refused_for"])
    if broken:
        assert all(violation.fixable_by_fit for violation in broken) == case["fixable_by_fit"]


@pytest.mark.parametrize("case", ROUNDING, ids=[str(case["duration_ms"]) for case in ROUNDING])
def test_seconds_are_rounded_as_in_the_shared_vectors(case: dict[str, Any]) -> None:
    facts = MediaFacts(
        rotation=0, mirrored=False, hdr=None, interlaced=False, faststart=True,
        **{**LIMITS[0]["facts"], "duration_ms": case["duration_ms"]},
    )  # fmt: skip
    assert facts.duration_seconds == case["duration_seconds"]


@pytest.mark.parametrize("case", DISPLAY, ids=[case["about"] for case in DISPLAY])
def test_pictures_are_as_large_as_in_the_shared_vectors(case: dict[str, Any]) -> None:
    shape = case["pixel_shape"]
    aspect = usable_aspect(Fraction(*shape) if shape else None)
    assert aspect is not None
    orientation = Orientation(quarter_turns=case["rotation"] // 90, mirrored=case["mirrored"])
    width, height = case["coded"]
    assert list(display_size(width, height, aspect, orientation)) == case["displayed"]
