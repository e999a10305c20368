"""An open file that may be a take: looked at in plain Python before any decoder is."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from ._boxes import Layout, layout_of
from ._errors import DamagedMediaError, NotFinalisedError, UnreadableFileError
from ._sniff import HEAD_BYTES, Container, sniff


@dataclass(frozen=True, slots=True)
class Source:
    """A descriptor, what it holds and, for MP4 and QuickTime, how it is laid out."""

    fd: int
    size_bytes: int
    container: Container
    layout: Layout | None


@contextmanager
def opened(path: str | os.PathLike[str]) -> Generator[int]:
    """Open a regular file for reading, whatever its name looks like (SEC-23).

    Raises:
        UnreadableFileError: It is missing, may not be read, or is no regular file.
    """
    try:
        # O_NONBLOCK: a named pipe called take.mp4 must not hold us until somebody writes to it.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise UnreadableFileError("file_missing", "There is no such file.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not possible"
        raise UnreadableFileError(
            "file_unreadable", f"The file cannot be opened: {reason}."
        ) from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise UnreadableFileError(
                "not_a_file", "This is a folder or a device, not a video file."
            )
        yield fd
    finally:
        os.close(fd)


def examine(fd: int) -> Source:
    """Say what the file is by its first bytes and its outermost structure.

    Raises:
        NotAVideoError: It is empty or something else.
        NotFinalisedError: An MP4 without its index (M02).
        DamagedMediaError: It ends in the middle of a fragment, or is all zeros.
        UnreadableFileError: The disk it is on fails.
    """
    size_bytes = os.fstat(fd).st_size
    container = sniff(read_at(fd, HEAD_BYTES, 0))
    if container not in ("mp4", "quicktime"):
        return Source(fd, size_bytes, container, None)
    layout = layout_of(partial(read_at, fd), size_bytes)
    if not layout.has_index:
        raise NotFinalisedError(
            "not_finalised",
            "The recording is not finished: its index is missing. If it is still being recorded "
            "or copied, wait for the end; if the recorder stopped suddenly, the recording cannot "
            "be played as it is.",
            measured=f"{size_bytes} bytes",
        )
    if layout.fragmented and not layout.whole:
        raise truncated(size_bytes)
    return Source(fd, size_bytes, container, layout)


def read_at(fd: int, size_bytes: int, offset: int) -> bytes:
    """At most so many bytes from there; none from a place that cannot be.

    Raises:
        UnreadableFileError: The disk or card the file is on fails.
    """
    if size_bytes <= 0 or offset < 0:
        return b""
    try:
        return os.pread(fd, size_bytes, offset)
    except OSError as error:
        raise UnreadableFileError(
            "file_unreadable",
            f"The file cannot be read: {error.strerror}. Is the disk or card it is on failing?",
        ) from error


def truncated(size_bytes: int) -> DamagedMediaError:
    """The end of the file is missing; the sentence for it."""
    return DamagedMediaError(
        "truncated",
        "The end of the file is missing: it was cut off while being copied or recorded. "
        "Copy it again from the device that recorded it.",
        measured=f"{size_bytes} bytes",
    )
