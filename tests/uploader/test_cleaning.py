"""After the receipt: what is ours goes, what must stay stays, and no trouble undoes the upload."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cadenza_uploader import _spool
from cadenza_uploader._cleaning import clean
from cadenza_uploader._home import Home
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader.events import Event, TakeCleaned
from cadenza_uploader.take import Stage, Status, Take
from tests.uploader.world import (
    NOON,
    Clock,
    add_take,
    claimed,
    content,
    receipt,
    remove_video,
    spool_names,
)

NOW_MS = round(NOON * 1000)


def arrived(queue: TakeQueue, *, receipt_says: dict[str, Any] | None = None, **facts: Any) -> Take:
    add_take(queue, **facts)
    take = queue.registered(claimed(queue), "server-1", attempts=[])
    take = queue.stored(take, "video", '"e"', attempts=[])
    return queue.confirmed(take, receipt(take, **(receipt_says or {})), attempts=[])


def cleaned(
    queue: TakeQueue,
    take: Take,
    *,
    observer: Callable[[Event], None] = lambda _: None,
    failpoint: Callable[[str], None] = lambda _: None,
) -> bool:
    return clean(
        queue, take, observer=observer, now_ms=NOW_MS, retry_seconds=60, failpoint=failpoint
    )


def with_original(queue: TakeQueue, path: Path, *, data: bytes | None = None, **facts: Any) -> Take:
    path.write_bytes(content(1) if data is None else data)
    return arrived(queue, delete_source=True, source_path=str(path), **facts)


# ── what goes ──────────────────────────────────────────────────────────────────────────────────


def test_a_confirmed_take_leaves_nothing_but_its_row(queue: TakeQueue, home: Home) -> None:
    take, seen = arrived(queue), list[Event]()
    assert cleaned(queue, take, observer=seen.append)
    assert spool_names(home) == []
    after = queue.get(take.id)
    assert (after.status, after.stage) == (Status.UPLOADED, Stage.CLEANED)
    assert after.receipt == take.receipt
    assert seen == [TakeCleaned(take.id)]


def test_cleaning_again_after_a_crash_is_fine(queue: TakeQueue, home: Home) -> None:
    take = arrived(queue)

    def crash(name: str) -> None:
        if name == "after_unlink":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cleaned(queue, take, failpoint=crash)
    assert queue.get(take.id).stage is Stage.CONFIRMED  # C13: files gone, row not yet
    assert queue.to_clean() == [queue.get(take.id)]
    assert cleaned(queue, take)
    assert queue.get(take.id).stage is Stage.CLEANED


def test_files_that_came_back_with_a_power_cut_go_again(
    queue: TakeQueue, home: Home, tmp_path: Path
) -> None:
    take = arrived(queue)
    shutil.copytree(home.spool, tmp_path / "before")
    cleaned(queue, take)
    shutil.copytree(tmp_path / "before", home.spool, dirs_exist_ok=True)  # C14
    assert cleaned(queue, take)
    assert spool_names(home) == []


def test_a_video_that_is_gone_already_does_not_keep_the_rest(queue: TakeQueue, home: Home) -> None:
    take = arrived(queue)
    remove_video(home, take)
    assert cleaned(queue, take)
    assert spool_names(home) == []


# ── what stays ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ({"size_bytes": 1}, "The local copy is kept: the receipt tells another size."),
        ({"sha256": "b" * 64}, "The local copy is kept: the receipt tells other bytes."),
        (
            {"verified": "size", "sha256": None},
            "The local copy is kept: the server did not verify the bytes.",
        ),
    ],
)
def test_without_a_licence_the_copy_stays_and_says_why(
    queue: TakeQueue, home: Home, says: dict[str, Any], sentence: str
) -> None:
    take = arrived(queue, receipt_says=says)
    names = spool_names(home)
    assert not cleaned(queue, take)
    after = queue.get(take.id)
    assert (after.status, after.stage) == (Status.UPLOADED, Stage.CONFIRMED)
    assert (after.last_error_code, after.last_error) == ("kept", sentence)
    assert spool_names(home) == names


def test_a_copy_that_was_changed_here_stays(queue: TakeQueue, home: Home) -> None:
    take = arrived(queue)
    _spool.locate(home.spool, take.video.name).write_bytes(b"edited")
    assert not cleaned(queue, take)
    assert "is not the one that was sent" in (queue.get(take.id).last_error or "")


def test_a_link_in_place_of_the_copy_harms_nobody(
    queue: TakeQueue, home: Home, tmp_path: Path
) -> None:
    take = arrived(queue)
    victim = tmp_path / "victim"
    victim.write_bytes(content(1))
    remove_video(home, take).symlink_to(victim)
    assert not cleaned(queue, take)
    assert victim.read_bytes() == content(1)


def test_a_directory_swapped_at_the_last_moment_harms_nobody(
    queue: TakeQueue, home: Home, tmp_path: Path
) -> None:
    take = arrived(queue)
    elsewhere = tmp_path / "elsewhere"

    def swap(name: str) -> None:
        if name == "before_unlink":
            (home.spool / take.id).rename(elsewhere)
            (home.spool / take.id).symlink_to(elsewhere)

    assert not cleaned(queue, take, failpoint=swap)
    assert (elsewhere / "video.mp4").exists()
    assert queue.get(take.id).last_error_code == "kept"


# ── what cannot go now (F05) ───────────────────────────────────────────────────────────────────


def test_a_copy_that_cannot_be_removed_is_tried_again_and_stays_uploaded(
    queue: TakeQueue, home: Home, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = arrived(queue)

    def immutable(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", immutable)
        assert not cleaned(queue, take)
    after = queue.get(take.id)
    assert (after.status, after.stage) == (Status.UPLOADED, Stage.CONFIRMED)
    assert after.last_error == "The local copy cannot be removed: Operation not permitted."
    assert queue.to_clean() == []
    clock.advance(60)
    assert [t.id for t in queue.to_clean()] == [take.id]
    assert cleaned(queue, take)


def test_a_trouble_without_words_gets_a_name(
    queue: TakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = arrived(queue)

    def odd(*_: Any) -> None:
        raise OSError

    monkeypatch.setattr(_spool, "remove_take", odd)
    assert not cleaned(queue, take)
    assert queue.get(take.id).last_error == "The local copy cannot be removed: OSError."


# ── the user's original ────────────────────────────────────────────────────────────────────────


def test_the_original_stays_unless_it_was_asked_for(queue: TakeQueue, tmp_path: Path) -> None:
    original = tmp_path / "take.mp4"
    original.write_bytes(content(1))
    take = arrived(queue, source_path=str(original))
    assert cleaned(queue, take)
    assert original.read_bytes() == content(1)


def test_the_original_goes_when_it_was_asked_for(
    queue: TakeQueue, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, synced = tmp_path / "take.mp4", list[Path]()
    take = with_original(queue, original)
    real = _spool.sync_directory

    def recorded(path: Path) -> None:
        real(path)
        synced.append(path)

    monkeypatch.setattr(_spool, "sync_directory", recorded)
    assert cleaned(queue, take)
    assert not original.exists()
    assert synced == [tmp_path, home.spool]


@pytest.mark.parametrize("data", [content(2), content(1) + b"x", b""])
def test_an_original_that_is_something_else_now_stays(
    queue: TakeQueue, home: Home, tmp_path: Path, data: bytes
) -> None:
    original = tmp_path / "take.mp4"
    assert cleaned(queue, with_original(queue, original, data=data))
    assert original.read_bytes() == data
    assert spool_names(home) == []  # our copy goes all the same


def test_a_new_recording_that_takes_the_name_while_we_look_is_not_lost(
    queue: TakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, fresh = tmp_path / "take.mp4", tmp_path / "fresh.mp4"
    take = with_original(queue, original)
    fresh.write_bytes(b"the next take")
    real = _spool.digest

    def meanwhile(file: Any) -> str:
        found = real(file)
        if fresh.exists():
            fresh.replace(original)
        return found

    monkeypatch.setattr(_spool, "digest", meanwhile)
    assert cleaned(queue, take)
    assert original.read_bytes() == b"the next take"


def test_a_recording_that_is_written_into_while_we_look_is_not_lost(
    queue: TakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = tmp_path / "take.mp4"
    take = with_original(queue, original)
    real = _spool.digest

    def meanwhile(file: Any) -> str:
        found = real(file)
        original.write_bytes(b"recorded over")
        return found

    monkeypatch.setattr(_spool, "digest", meanwhile)
    assert cleaned(queue, take)
    assert original.read_bytes() == b"recorded over"


def test_neither_a_link_nor_what_it_points_to_goes(queue: TakeQueue, tmp_path: Path) -> None:
    target, link = tmp_path / "target.mp4", tmp_path / "link.mp4"
    target.write_bytes(content(1))
    link.symlink_to(target)
    take = arrived(queue, delete_source=True, source_path=str(link))
    assert cleaned(queue, take)
    assert link.is_symlink()
    assert target.exists()


@pytest.mark.parametrize("what", ["gone", "fifo", "directory"])
def test_an_original_that_is_no_file_any_more_is_no_trouble(
    queue: TakeQueue, home: Home, tmp_path: Path, what: str
) -> None:
    original = tmp_path / "take.mp4"
    take = with_original(queue, original)
    original.unlink()
    if what == "fifo":
        os.mkfifo(original)
    elif what == "directory":
        original.mkdir()
    assert cleaned(queue, take)
    assert original.exists() == (what != "gone")
    assert spool_names(home) == []


def test_an_original_that_cannot_go_keeps_our_copy_until_it_can(
    queue: TakeQueue, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = tmp_path / "take.mp4"
    take = with_original(queue, original)
    real = Path.unlink

    def refused(self: Path, missing_ok: bool = False) -> None:
        if self == original:
            raise PermissionError(13, "Permission denied")
        real(self, missing_ok=missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refused)
        assert not cleaned(queue, take)
    assert original.exists()
    assert cleaned(queue, take)
    assert not original.exists()


@pytest.mark.parametrize("says", [{"size_bytes": 1}, {"sha256": "b" * 64}])
def test_without_a_licence_the_original_stays_too(
    queue: TakeQueue, tmp_path: Path, says: dict[str, Any]
) -> None:
    original = tmp_path / "take.mp4"
    assert not cleaned(queue, with_original(queue, original, receipt_says=says))
    assert original.read_bytes() == content(1)
