"""The spool: durable before visible, ours or not at all, and never through a link."""

import errno
import fcntl
import hashlib
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_uploader import _spool
from cadenza_uploader._home import Home
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._spool import Copied, UnsafePathError
from cadenza_uploader.errors import SourceChangedError, SpoolFullError
from cadenza_uploader.take import Asset, Take
from tests.uploader.world import add_take, content, new_take, spool_names

ID = "0b1a2c3d-0000-4000-8000-0000000000aa"
Usage = namedtuple("Usage", "total used free")
THIS = Path(__file__)


def silent(_done: int, _total: int) -> None:
    pass


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "my take.mp4"
    path.write_bytes(content(1, 3_000_000))
    return path


@pytest.fixture
def take(queue: TakeQueue) -> Take:
    return add_take(queue)


def bring(home: Home, source: Path, progress: Callable[[int, int], None] = silent) -> Copied:
    with _spool.part(home.spool, ID) as part, _spool.open_source(source) as file:
        copied = _spool.copy_in(file, part / "video.mp4", progress=progress)
        _spool.publish(part, home.spool, ID)
    return copied


def path_of(home: Home, asset: Asset) -> Path:
    return home.spool.joinpath(*asset.name.parts)


# ── durability ─────────────────────────────────────────────────────────────────────────────────


def test_file_then_directory_then_row(
    home: Home, queue: TakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, os.rename

    def recorded_fsync(fd: int) -> None:
        fsync(fd)
        done.append(f"sync {os.path.relpath(os.readlink(f'/proc/self/fd/{fd}'), home.spool)}")

    def recorded_rename(before: Any, after: Any) -> None:
        rename(before, after)
        done.append(f"rename {Path(before).name} {Path(after).name}")

    def statement(sql: str) -> None:
        # Told once for itself and once for each trigger it fires.
        words = " ".join(sql.split()[:3])
        if words in ("INSERT INTO takes", "COMMIT") and words not in done:
            done.append(words)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "rename", recorded_rename)
    queue._db.conn.set_trace_callback(statement)
    new = new_take(home)
    queue.add(new)
    part = f".part-{new.id}"
    assert done == [
        f"sync {part}/video.mp4",
        f"sync {part}/thumbnail.jpg",
        f"sync {part}/take.json",
        f"sync {part}",
        f"rename {part} {new.id}",
        "sync .",
        "INSERT INTO takes",
        "COMMIT",
    ]


def test_a_copied_file_is_synced_before_its_directory_is_published(
    home: Home, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def recorded(fd: int) -> None:
        fsync(fd)
        synced.append(os.path.relpath(os.readlink(f"/proc/self/fd/{fd}"), home.spool))

    monkeypatch.setattr(os, "fsync", recorded)
    bring(home, source)
    assert synced == [f".part-{ID}/video.mp4", f".part-{ID}", "."]


@pytest.mark.real("strace")
def test_file_then_directory_then_row_as_the_kernel_sees_it(home: Home, tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import sys
        sys.path[:0] = [{str(THIS.parents[2])!r}]
        from pathlib import Path
        from cadenza_uploader._home import Home
        from cadenza_uploader._queue import TakeQueue
        from tests.uploader.world import add_take
        with TakeQueue.open(Home(Path({str(home.path)!r}))) as queue:
            print("BEGIN", flush=True)
            add_take(queue)
        """
    )
    trace = tmp_path / "trace"
    subprocess.run(
        ["strace", "-f", "-y", "-qq", "-o", str(trace), "-e", "trace=fsync,fdatasync,rename,write",
         sys.executable, "-c", program],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    lines = trace.read_text("utf-8").splitlines()
    lines = lines[next(n for n, line in enumerate(lines) if '"BEGIN' in line) :]

    def at(pattern: str) -> int:
        found = [n for n, line in enumerate(lines) if re.search(pattern, line)]
        assert found, f"nothing matches {pattern}"
        return found[0]

    spool = re.escape(str(home.spool))
    video = at(rf"fsync\(\d+<{spool}/\.part-[^/>]+/video\.mp4>\) += 0")
    described = at(rf"fsync\(\d+<{spool}/\.part-[^/>]+/take\.json>\) += 0")
    inside = at(rf"fsync\(\d+<{spool}/\.part-[^/>]+>\) += 0")
    published = at(r"rename\(.*\) += 0")
    outside = at(rf"fsync\(\d+<{spool}>\) += 0")
    row = at(rf"f(data)?sync\(\d+<{re.escape(str(home.path))}/queue\.db-wal>\) += 0")
    assert video < described < inside < published < outside < row


def test_a_copy_is_synced_before_it_is_believed(
    home: Home, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output error"):
        bring(home, source)
    assert spool_names(home) == []


# ── the copy ───────────────────────────────────────────────────────────────────────────────────


def test_a_copy_is_the_source_to_the_byte_and_leaves_it_alone(home: Home, source: Path) -> None:
    before, data = source.stat(), source.read_bytes()
    seen: list[tuple[int, int]] = []
    copied = bring(home, source, lambda done, total: seen.append((done, total)))
    kept = home.spool / ID / "video.mp4"
    assert kept.read_bytes() == data == source.read_bytes()
    assert copied.sha256 == hashlib.sha256(data).hexdigest()
    assert (copied.size_bytes, copied.inode) == (len(data), kept.stat().st_ino)
    after = source.stat()
    assert (before.st_mtime_ns, before.st_mode, before.st_nlink) == (
        after.st_mtime_ns, after.st_mode, after.st_nlink,
    )  # fmt: skip
    assert seen[-1] == (len(data), len(data))
    assert seen == sorted(seen)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_the_copy_does_not_share_its_life_with_the_source(home: Home, source: Path) -> None:
    copied = bring(home, source)
    with source.open("r+b") as file:
        file.write(b"edited by the user")
    kept = home.spool / ID / "video.mp4"
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == copied.sha256


def test_where_the_file_system_can_share_extents_nothing_is_copied(
    home: Home, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies: list[str] = []

    def ficlone(target: int, request: int, original: int) -> int:
        assert request == _spool._FICLONE
        os.pwrite(target, source.read_bytes(), 0)
        copies.append(os.readlink(f"/proc/self/fd/{original}"))
        return 0

    monkeypatch.setattr(fcntl, "ioctl", ficlone)
    monkeypatch.setattr(_spool, "_copy", pytest.fail)
    # A clone takes no room, so a nearly full disk does not refuse it.
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 0))
    copied = bring(home, source)
    assert copies == [str(source)]
    assert copied.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()


def test_a_clone_is_hashed_from_what_was_kept(
    home: Home, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between clone and hash the user may save over the original: the clone's bytes count.
    def ficlone(target: int, _request: int, _original: int) -> int:
        os.pwrite(target, b"x" * 3_000_000, 0)
        return 0

    monkeypatch.setattr(fcntl, "ioctl", ficlone)
    assert bring(home, source).sha256 == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_a_clone_of_another_size_is_not_queued(
    home: Home, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ficlone(target: int, _request: int, _original: int) -> int:
        return os.pwrite(target, b"short", 0)

    monkeypatch.setattr(fcntl, "ioctl", ficlone)
    with pytest.raises(SourceChangedError):
        bring(home, source)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def cut(path: Path) -> None:
    os.truncate(path, 1_500_000)


def rewrite(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[::-1])
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("change", [grow, cut, rewrite])
def test_a_source_that_changes_meanwhile_is_not_queued(
    home: Home, source: Path, change: Callable[[Path], None]
) -> None:
    changed = False

    def meanwhile(_done: int, _total: int) -> None:
        nonlocal changed
        if not changed:
            changed = True
            change(source)

    with pytest.raises(SourceChangedError, match="changed while"):
        bring(home, source, meanwhile)
    assert spool_names(home) == []


def test_a_source_that_grows_faster_than_it_is_read_does_not_fill_the_disk(
    home: Home, source: Path
) -> None:
    read = 0

    def race(done: int, _total: int) -> None:
        nonlocal read
        read = done
        assert done < 10_000_000, "it runs after the writer for ever"
        with source.open("ab") as file:
            file.write(bytes(2 << 20))

    with pytest.raises(SourceChangedError):
        bring(home, source, race)
    assert read <= 3_000_000 + 2 * _spool.BLOCK_BYTES


def test_an_empty_source_gives_an_empty_copy_for_the_probe_to_refuse(
    home: Home, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    assert bring(home, empty).size_bytes == 0


# ── room ───────────────────────────────────────────────────────────────────────────────────────


def test_too_little_room_is_known_before_the_first_byte(
    home: Home, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 3_000_000 + _spool._RESERVE_BYTES - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, free))
    monkeypatch.setattr(_spool, "_copy", pytest.fail)
    with pytest.raises(SpoolFullError, match=r"needs 3,000,000 bytes and 19,777,215 are free"):
        bring(home, source)
    assert spool_names(home) == []
    monkeypatch.undo()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, free + 1))
    assert bring(home, source).size_bytes == 3_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Home]:
    """A home on a disk of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(place)], check=True
    )
    try:
        yield Home(place / "home").prepare()
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.real("tmpfs")
def test_a_disk_that_fills_up_during_the_copy_leaves_nothing_behind(
    small_disk: Home, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Somebody else takes the room after we looked.
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 1 << 40))
    with pytest.raises(SpoolFullError, match="No space left"):
        bring(small_disk, source)
    assert spool_names(small_disk) == []


@pytest.mark.real("tmpfs")
def test_a_thumbnail_is_never_cut_short_by_a_full_disk(small_disk: Home) -> None:
    # The kernel takes what fits and says so by a count, without an error.
    (small_disk.path / "filler").write_bytes(bytes(900_000))
    with pytest.raises(SpoolFullError), _spool.part(small_disk.spool, ID) as part:
        _spool.write_in(content(1, 300_000), part / "thumbnail.jpg")
    assert spool_names(small_disk) == []


def test_short_writes_are_continued(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(FileIO):
        def write(self, data: Any, /) -> int:
            return super().write(data[:7])

    monkeypatch.setattr(_spool, "FileIO", Slow)
    with _spool.part(home.spool, ID) as part:
        written = _spool.write_in(b"a sentence of some length", part / "x")
        assert (part / "x").read_bytes() == b"a sentence of some length"
    assert written.sha256 == hashlib.sha256(b"a sentence of some length").hexdigest()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_every_way_of_having_no_room_is_told_in_one_way(home: Home, number: int) -> None:
    with pytest.raises(SpoolFullError, match="nothing was queued"), _spool.part(home.spool, ID):
        raise OSError(number, os.strerror(number))
    assert spool_names(home) == []


def test_no_room_for_a_directory_is_no_room_either(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, mode: int = 0o777) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(SpoolFullError), _spool.part(home.spool, ID):
        pytest.fail("there is nothing to fill")


# ── parts ──────────────────────────────────────────────────────────────────────────────────────


def test_an_intake_that_fails_leaves_nothing(home: Home) -> None:
    def intake() -> None:
        with _spool.part(home.spool, ID) as part:
            (part / "video.mp4").write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        intake()
    assert spool_names(home) == []


def test_a_part_of_somebody_else_is_left_alone(home: Home) -> None:
    with _spool.part(home.spool, ID) as first:
        (first / "video.mp4").write_bytes(b"theirs")
        with pytest.raises(FileExistsError), _spool.part(home.spool, ID):
            pytest.fail("two intakes share a directory")
        assert (first / "video.mp4").read_bytes() == b"theirs"


def test_a_part_under_way_is_not_abandoned_and_a_dead_one_is(home: Home) -> None:
    dead = home.spool / ".part-dead"
    dead.mkdir()
    (home.spool / ".part-a-file").touch()
    (home.spool / ".part-a-link").symlink_to(dead)
    with _spool.part(home.spool, ID) as under_way:
        assert _spool.abandoned_parts(home.spool) == [dead]
        os.utime(under_way, (0, 0))  # the lock tells, not the time
        assert _spool.abandoned_parts(home.spool) == [dead]


def test_a_part_that_vanishes_while_it_is_looked_at_is_nobody_s(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.spool / ".part-x").mkdir()
    listed = list(home.spool.glob(".part-*"))
    shutil.rmtree(home.spool / ".part-x")
    monkeypatch.setattr(Path, "glob", lambda _self, _pattern: iter(listed))
    assert _spool.abandoned_parts(home.spool) == []


def test_a_published_take_is_not_swept_away_with_its_part(home: Home) -> None:
    new = new_take(home)
    assert spool_names(home) == [
        new.id, f"{new.id}/take.json", f"{new.id}/thumbnail.jpg", f"{new.id}/video.mp4",
    ]  # fmt: skip


# ── what may be a source (F09) ─────────────────────────────────────────────────────────────────


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [Path.mkdir, make_fifo, make_socket, make_device])
def test_only_a_regular_file_is_a_source(
    tmp_path: Path, make: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket may not be long
    odd = Path("odd.mp4")
    make(odd)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(UnsafePathError, match=r"odd\.mp4 is not a regular file"):
        _spool.open_source(odd)  # a FIFO without a writer would block here for ever
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_source_that_is_missing_or_forbidden_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        _spool.open_source(tmp_path / "no.mp4")
    loop = tmp_path / "loop.mp4"
    loop.symlink_to(loop)
    with pytest.raises(OSError, match="symbolic links"):
        _spool.open_source(loop)


def test_a_link_the_user_made_is_a_fine_source(tmp_path: Path, source: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(source)
    with _spool.open_source(link) as file:
        assert file.read(10) == content(1)[:10]


def test_a_recorder_that_holds_a_lock_is_noticed(source: Path) -> None:
    with _spool.open_source(source) as file, source.open("ab") as recorder:
        assert not _spool.is_being_written(file)
        fcntl.flock(recorder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert _spool.is_being_written(file)
        fcntl.flock(recorder, fcntl.LOCK_UN)
        assert not _spool.is_being_written(file)
        # … and looking leaves no lock behind that would stop a recorder.
        fcntl.flock(recorder, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_file_system_without_locks_tells_nothing(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(_fd: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with _spool.open_source(source) as file:
        monkeypatch.setattr(fcntl, "flock", unable)
        assert not _spool.is_being_written(file)


# ── names (F10, SEC-17) ────────────────────────────────────────────────────────────────────────

BAD_NAMES = [
    "/etc/passwd", "/passwd", "../x", "id/../../x", "..", "id/..", "video.mp4", "id/sub/video.mp4",
    "id/./../video.mp4", "",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_stored_name_cannot_point_out_of_the_spool(home: Home, name: str) -> None:
    with pytest.raises(UnsafePathError, match="does not lie in the spool"):
        _spool.locate(home.spool, PurePosixPath(name))
    with pytest.raises(UnsafePathError):
        _spool.relative(name)


@given(st.text(max_size=30).filter(lambda text: "\0" not in text))
def test_whatever_is_located_lies_two_steps_below_the_spool(name: str) -> None:
    spool = Path("/home/ada/spool")
    try:
        path = _spool.locate(spool, PurePosixPath(name))
    except UnsafePathError:
        return
    assert Path(os.path.normpath(path)).parent.parent == spool


def test_a_name_that_is_fine_is_kept(home: Home) -> None:
    assert _spool.relative("id/video.mp4") == PurePosixPath("id/video.mp4")
    assert _spool.locate(home.spool, PurePosixPath("id/v")) == home.spool / "id" / "v"


# ── links where files were (F06, F07, F08, SEC-18) ─────────────────────────────────────────────


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(b"root:x:0:0" * 400)
    return path


def test_a_link_in_place_of_the_file_is_not_followed(home: Home, take: Take, secret: Path) -> None:
    video = path_of(home, take.video)
    video.unlink()
    video.symlink_to(secret)
    for look in (_spool.open_asset, _spool.is_unchanged, _spool.md5_of):
        with pytest.raises(UnsafePathError, match="symbolic link"):
            look(home.spool, take.video)


@pytest.mark.parametrize("make", [make_fifo, Path.mkdir])
def test_something_else_in_place_of_the_file_is_refused_without_waiting(
    home: Home, take: Take, make: Callable[[Path], None]
) -> None:
    video = path_of(home, take.video)
    video.unlink()
    make(video)
    with pytest.raises(UnsafePathError, match="no longer a regular file"):
        _spool.open_asset(home.spool, take.video)


def test_a_link_in_place_of_the_directory_is_not_followed(
    home: Home, take: Take, tmp_path: Path
) -> None:
    directory = home.spool / take.id
    elsewhere = tmp_path / "elsewhere"
    directory.rename(elsewhere)
    directory.symlink_to(elsewhere)
    with pytest.raises(UnsafePathError, match="not a directory"):
        _spool.open_asset(home.spool, take.video)
    with pytest.raises(UnsafePathError, match="not a directory"):
        _spool.remove_take(home.spool, take.id)
    assert (elsewhere / "video.mp4").exists()


def test_a_file_in_place_of_the_directory_is_refused(home: Home, take: Take) -> None:
    shutil.rmtree(home.spool / take.id)
    (home.spool / take.id).touch()
    with pytest.raises(UnsafePathError, match="not a directory"):
        _spool.open_asset(home.spool, take.video)


def test_another_trouble_with_the_directory_is_the_system_s(
    home: Home, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "open", broken)
    with pytest.raises(OSError, match="Input/output error"):
        _spool.open_asset(home.spool, take.video)


def test_the_file_is_gone(home: Home, take: Take) -> None:
    path_of(home, take.video).unlink()
    with pytest.raises(FileNotFoundError):
        _spool.open_asset(home.spool, take.video)
    shutil.rmtree(home.spool / take.id)
    with pytest.raises(FileNotFoundError):
        _spool.is_unchanged(home.spool, take.video)


def test_a_race_of_links_never_lets_foreign_bytes_through(
    home: Home, take: Take, secret: Path
) -> None:
    video = path_of(home, take.video)
    spare = video.with_name("spare")
    evil = video.with_name("evil")
    spare.write_bytes(content(1))
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            evil.unlink(missing_ok=True)
            evil.symlink_to(secret)
            evil.replace(video)
            spare.write_bytes(content(1))
            spare.replace(video)
            time.sleep(0)  # the reader gets its turn while the file is ours, too

    attacker = threading.Thread(target=swap)
    attacker.start()
    outcomes: set[str] = set()
    # A busy machine may let one thread run for long: go on until both sides of the race were met.
    give_up = time.monotonic() + 60
    tries = 0
    try:
        while tries < 3000 or (len(outcomes) < 2 and time.monotonic() < give_up):
            tries += 1
            try:
                with _spool.open_asset(home.spool, take.video) as file:
                    assert not file.read(10).startswith(b"root:")
                outcomes.add("ours")
            except UnsafePathError:
                outcomes.add("refused")
    finally:
        over.set()
        attacker.join()
    assert outcomes == {"ours", "refused"}, "the race was never met"
    assert secret.read_bytes() == b"root:x:0:0" * 400


def test_a_hard_link_elsewhere_keeps_its_file(home: Home, take: Take, tmp_path: Path) -> None:
    other = tmp_path / "mine.mp4"
    other.hardlink_to(path_of(home, take.video))
    assert _spool.is_unchanged(home.spool, take.video)
    _spool.remove_take(home.spool, take.id)
    assert other.read_bytes() == content(1)


# ── still the same bytes? (F02, F11) ───────────────────────────────────────────────────────────


def test_an_untouched_file_is_recognised_without_reading_it(
    home: Home, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_spool, "_digest", pytest.fail)
    assert _spool.is_unchanged(home.spool, take.video)


def test_a_touched_file_is_the_same_file(home: Home, take: Take) -> None:
    os.utime(path_of(home, take.video), (1, 1))
    assert _spool.is_unchanged(home.spool, take.video)


def test_a_moved_home_holds_the_same_files(home: Home, take: Take, tmp_path: Path) -> None:
    # A container move, a restored backup: other inodes, other times, the same bytes.
    shutil.copytree(home.spool, tmp_path / "moved", copy_function=shutil.copyfile)
    assert _spool.is_unchanged(tmp_path / "moved", take.video)
    shutil.rmtree(home.spool / take.id)
    home.path.rename(tmp_path / "renamed")
    assert _spool.is_unchanged(tmp_path / "moved", take.video)


@pytest.mark.parametrize(
    "data", [content(1)[:-1], content(1) + b"x", content(2)], ids=["cut", "grown", "other bytes"]
)
def test_a_changed_file_is_a_changed_file(home: Home, take: Take, data: bytes) -> None:
    path_of(home, take.video).write_bytes(data)
    assert not _spool.is_unchanged(home.spool, take.video)


def test_a_file_that_was_cut_and_dated_back_is_a_changed_file(home: Home, take: Take) -> None:
    video = path_of(home, take.video)
    os.truncate(video, 3999)
    os.utime(video, ns=(take.video.modified_ns, take.video.modified_ns))
    assert not _spool.is_unchanged(home.spool, take.video)


def test_another_file_of_the_same_name_time_and_size_is_found_out_by_its_hash(
    home: Home, take: Take
) -> None:
    video = path_of(home, take.video)
    keep = video.rename(video.with_name("old"))  # so that the inode is not given out again
    video.write_bytes(content(2))
    os.utime(video, ns=(take.video.modified_ns, take.video.modified_ns))
    assert keep.stat().st_ino != video.stat().st_ino
    assert not _spool.is_unchanged(home.spool, take.video)


def test_hashes_are_those_of_the_bytes(home: Home, take: Take) -> None:
    data = content(1)
    with _spool.open_source(path_of(home, take.video)) as file:
        assert _spool.digest(file) == hashlib.sha256(data).hexdigest()
    assert _spool.md5_of(home.spool, take.video) == hashlib.md5(data).hexdigest()
    with _spool.open_asset(home.spool, take.video) as file:
        measured = _spool.measure(file)
    assert (measured.size_bytes, measured.sha256) == (4000, hashlib.sha256(data).hexdigest())
    assert replace(take.video, size_bytes=measured.size_bytes) == take.video


def test_an_identity_is_that_of_one_file_in_one_state(tmp_path: Path, source: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(source)
    with _spool.open_source(source) as file:
        before = _spool.identity(file)
        assert _spool.identity_at(source) == before
        assert _spool.identity_at(link) != before
        os.utime(source, (1, 1))
        assert _spool.identity_at(source) != before


# ── removal ────────────────────────────────────────────────────────────────────────────────────


def test_removing_twice_is_removing_once(home: Home, take: Take) -> None:
    new_take(home, seed=2)
    for _ in range(2):
        _spool.remove_take(home.spool, take.id)
        assert not (home.spool / take.id).exists()
    assert len(list(home.spool.iterdir())) == 1


def test_a_removal_that_was_cut_short_is_completed(home: Home, take: Take) -> None:
    path_of(home, take.video).unlink()  # C13
    _spool.remove_take(home.spool, take.id)
    assert spool_names(home) == []


def test_removal_is_durable_before_it_is_told(
    home: Home, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, rmdir = os.fsync, os.rmdir

    def recorded(fd: int) -> None:
        fsync(fd)
        done.append(os.path.relpath(os.readlink(f"/proc/self/fd/{fd}"), home.spool))

    def removed(path: Any) -> None:
        rmdir(path)
        done.append("rmdir")

    monkeypatch.setattr(os, "fsync", recorded)
    monkeypatch.setattr(os, "rmdir", removed)
    _spool.remove_take(home.spool, take.id)
    assert done == [take.id, "rmdir", "."]


def test_a_file_that_vanishes_during_the_removal_is_fine(
    home: Home, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        os, "listdir", lambda _fd, names=("video.mp4", "thumbnail.jpg", "take.json", "x"): names
    )
    _spool.remove_take(home.spool, take.id)
    assert spool_names(home) == []


def test_a_link_inside_is_removed_and_what_it_points_to_stays(
    home: Home, take: Take, secret: Path
) -> None:
    (home.spool / take.id / "link").symlink_to(secret)
    _spool.remove_take(home.spool, take.id)
    assert secret.exists()
    assert not (home.spool / take.id).exists()


def test_what_cannot_be_removed_is_told(home: Home, take: Take) -> None:
    (home.spool / take.id / "sub").mkdir()
    (home.spool / take.id / "sub" / "x").touch()
    with pytest.raises(OSError, match="directory"):
        _spool.remove_take(home.spool, take.id)
