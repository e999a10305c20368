"""Files the queue owns: written durably, recognised again, removed only when they are ours.

One directory per take is built under a `.part-` name, synced, and published by one rename, so a
take's video, thumbnail and description appear together or not at all. Order, always: file, then
directory, then row (60-reliability §0.2).
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import Any

from cadenza_uploader.errors import SourceChangedError, SpoolFullError, UploaderError
from cadenza_uploader.take import Asset, AssetKind

BLOCK_BYTES = 1 << 20
PART_PREFIX = ".part-"
DESCRIPTION = "take.json"

#: Linux's `FICLONE`: share the extents of another file (btrfs, xfs, bcachefs).
_FICLONE = 0x40049409
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
#: Room that must remain after a copy, so that the database itself can still be written.
_RESERVE_BYTES = 16 << 20


class UnsafePathError(UploaderError):
    """A name in the spool is not the plain file the queue wrote (F06, SEC-18)."""

    code = "unsafe_path"


class ChangedFileError(UploaderError):
    """A file in the spool no longer holds the bytes that were queued (F02)."""

    code = "local_file_changed"


@dataclass(frozen=True, slots=True)
class Copied:
    """A file that is now ours: its size, digest and identity."""

    size_bytes: int
    sha256: str
    inode: int
    modified_ns: int


@contextmanager
def part(spool: Path, take_id: str) -> Generator[Path]:
    """A directory to fill; removed again unless it was published.

    Its flock says that somebody is still filling it, whatever the clock says.
    """
    directory = spool / f"{PART_PREFIX}{take_id}"
    with _needs_room(spool):
        # Outside the `try`: a part that exists already is not ours to remove.
        directory.mkdir(mode=0o700)
        try:
            with _directory(directory) as fd:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield directory
        finally:
            if directory.is_dir():
                # What cannot be removed now is swept up later, and must not hide why we are here.
                shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _needs_room(spool: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise SpoolFullError(
                f"There is no room for a safe copy in {spool} ({error.strerror}). Free some space "
                "and try again; nothing was queued."
            ) from None
        raise


def abandoned_parts(spool: Path) -> list[Path]:
    """Interrupted intakes: part directories that nobody is filling any more (C1)."""
    return [path for path in sorted(spool.glob(f"{PART_PREFIX}*")) if not _is_being_filled(path)]


def _is_being_filled(directory: Path) -> bool:
    try:
        with _directory(directory) as fd:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (FileNotFoundError, UnsafePathError):
        # Published or removed meanwhile, or not a directory: nothing of ours to tidy.
        return True
    return False


def open_source(path: Path) -> FileIO:
    """Open a regular file for reading without ever blocking on a FIFO or a device (F09).

    Raises:
        FileNotFoundError, PermissionError: as the system says.
        UnsafePathError: it is not a regular file.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        # What cannot be opened at all for being what it is: a socket, a device without a driver.
        if error.errno in (errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP):
            raise UnsafePathError(f"{path.name} is not a regular file.") from None
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UnsafePathError(f"{path.name} is not a regular file.")
    return FileIO(fd, "rb")


def is_being_written(file: FileIO) -> bool:
    """Whether another program holds an exclusive lock on the file, as recorders do (F14)."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        # A file system without locks tells nothing.
        return False
    fcntl.flock(file.fileno(), fcntl.LOCK_UN)
    return False


def copy_in(source: FileIO, destination: Path, *, progress: Callable[[int, int], None]) -> Copied:
    """Clone or copy an open file into the spool, hashing the bytes that are kept.

    Where the file system can share extents the clone is instant and the clone is hashed;
    elsewhere every block is hashed on its way to the copy, so the file is read once.

    Raises:
        SpoolFullError: there is not enough room, checked before the first byte is written.
        SourceChangedError: the source changed meanwhile (F14, complaint C19).
    """
    before = os.fstat(source.fileno())
    total = before.st_size
    free = shutil.disk_usage(destination.parent).free
    fd = os.open(destination, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with FileIO(fd, "r+b") as target:
        if _clone(source, target):
            sha256 = _digest(target, total, progress)
        elif total + _RESERVE_BYTES > free:
            raise SpoolFullError(
                f"A safe copy needs {total:,} bytes and {free:,} are free (with "
                f"{_RESERVE_BYTES:,} kept in reserve). Free some space; nothing was queued."
            )
        else:
            sha256 = _copy(source, target, total, progress)
        os.fsync(target.fileno())
        kept = os.fstat(target.fileno())
    after = os.fstat(source.fileno())
    if (after.st_size, after.st_mtime_ns) != (total, before.st_mtime_ns) or kept.st_size != total:
        raise SourceChangedError(
            "The file changed while it was being copied; nothing was queued. Try again when it is "
            "finished."
        )
    return Copied(total, sha256, kept.st_ino, kept.st_mtime_ns)


def write_in(data: bytes, destination: Path) -> Copied:
    """Write bytes of our own durably into a part directory."""
    fd = os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with FileIO(fd, "wb") as target:
        _write_all(target, memoryview(data))
        os.fsync(target.fileno())
        kept = os.fstat(target.fileno())
    return Copied(len(data), hashlib.sha256(data).hexdigest(), kept.st_ino, kept.st_mtime_ns)


def describe_in(directory: Path, description: Mapping[str, Any]) -> None:
    """Write the take's description beside its files: what a rebuild needs (D07, C2)."""
    write_in(json.dumps(dict(description), sort_keys=True).encode(), directory / DESCRIPTION)


def publish(directory: Path, spool: Path, take_id: str) -> None:
    """Make a finished part directory the take's own, durably."""
    sync_directory(directory)
    directory.rename(spool / take_id)
    sync_directory(spool)


def locate(spool: Path, name: PurePosixPath) -> Path:
    """The absolute path of a stored name, refused when it points anywhere else (SEC-17)."""
    if name.is_absolute() or ".." in name.parts or len(name.parts) != 2:
        raise UnsafePathError(f"The stored name {name} does not lie in the spool.")
    return spool.joinpath(*name.parts)


def open_asset(spool: Path, asset: Asset) -> FileIO:
    """Open an asset below the spool without following a link anywhere on the way (F06, F07)."""
    path = locate(spool, asset.name)
    with _directory(path.parent) as directory:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            fd = os.open(path.name, flags, dir_fd=directory)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise UnsafePathError(f"{asset.name} has become a symbolic link.") from None
            raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UnsafePathError(f"{asset.name} is no longer a regular file.")
    return FileIO(fd, "rb")


def measure(file: FileIO) -> Copied:
    """Size, digest and identity of a file of ours, synced."""
    os.fsync(file.fileno())
    kept = os.fstat(file.fileno())
    return Copied(kept.st_size, _digest(file, kept.st_size, _ignore), kept.st_ino, kept.st_mtime_ns)


def relative(name: str) -> PurePosixPath:
    """A stored name as a path.

    Raises:
        UnsafePathError: it does not lie in the spool.
    """
    path = PurePosixPath(name)
    locate(Path(), path)
    return path


def is_unchanged(spool: Path, asset: Asset) -> bool:
    """Whether the file still holds the bytes that were queued.

    Size decides at once; the same inode and time prove it; otherwise the hash decides, for a
    moved state directory changes both (F11) and a touched file is not a changed one (C20).

    Raises:
        FileNotFoundError: it is gone.
        UnsafePathError: it is something else now.
    """
    with open_asset(spool, asset) as file:
        now = os.fstat(file.fileno())
        if now.st_size != asset.size_bytes:
            return False
        if (now.st_ino, now.st_mtime_ns) == (asset.inode, asset.modified_ns):
            return True
        return _digest(file, now.st_size, _ignore) == asset.sha256


def digest(file: FileIO) -> str:
    """SHA-256 of an open file, in hex."""
    return _digest(file, os.fstat(file.fileno()).st_size, _ignore)


def identity(file: FileIO) -> tuple[int, ...]:
    """What tells an open file and its state from any other."""
    return _identity(os.fstat(file.fileno()))


def identity_at(path: Path) -> tuple[int, ...]:
    """The same of what lies at a path now, which is no other file's if it is a link."""
    return _identity(path.lstat())


def _identity(info: os.stat_result) -> tuple[int, ...]:
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


def md5_of(spool: Path, asset: Asset) -> str:
    """MD5 of an asset: what a v1 store tells as ETag. No security rests on it."""
    with open_asset(spool, asset) as file:
        digest = hashlib.md5(usedforsecurity=False)
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def remove_take(spool: Path, take_id: str) -> None:
    """Remove a take's directory and make that durable; what is gone already is fine (C13)."""
    directory = spool / take_id
    try:
        with _directory(directory) as fd:
            for name in os.listdir(fd):  # noqa: PTH208 - below the descriptor, not the path
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=fd)
            os.fsync(fd)
        directory.rmdir()
    except FileNotFoundError:
        pass
    sync_directory(spool)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory survive a power cut."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def asset(kind: AssetKind, take_id: str, file_name: str, copied: Copied) -> Asset:
    """The record of a file in the spool."""
    return Asset(
        kind=kind,
        name=PurePosixPath(take_id, file_name),
        size_bytes=copied.size_bytes,
        sha256=copied.sha256,
        content_type="video/mp4" if kind == "video" else "image/jpeg",
        inode=copied.inode,
        modified_ns=copied.modified_ns,
    )


@contextmanager
def _directory(path: Path) -> Generator[int]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise UnsafePathError(f"{path.name} in the spool is not a directory.") from None
        raise
    try:
        yield fd
    finally:
        os.close(fd)


def _clone(source: FileIO, target: FileIO) -> bool:
    try:
        fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
    except OSError:
        return False
    return True


def _copy(source: FileIO, target: FileIO, total: int, progress: Callable[[int, int], None]) -> str:
    digest, done, buffer = hashlib.sha256(), 0, memoryview(bytearray(BLOCK_BYTES))
    source.seek(0)
    while count := source.readinto(buffer):
        digest.update(buffer[:count])
        _write_all(target, buffer[:count])
        done += count
        progress(done, total)
        if done > total:
            break  # It grows as we read: the caller sees that, before the disk is full.
    return digest.hexdigest()


def _write_all(target: FileIO, data: memoryview) -> None:
    """Write every byte: a nearly full disk takes a part of them without an error."""
    while data:
        data = data[target.write(data) :]


def _digest(file: FileIO, total: int, progress: Callable[[int, int], None]) -> str:
    digest, done, buffer = hashlib.sha256(), 0, memoryview(bytearray(BLOCK_BYTES))
    file.seek(0)
    while count := file.readinto(buffer):
        digest.update(buffer[:count])
        done += count
        progress(done, total)
    return digest.hexdigest()


def _ignore(_done: int, _total: int) -> None:
    return None
