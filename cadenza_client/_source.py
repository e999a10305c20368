"""Where the bytes of an upload come from: one open file for the whole request.

The file is opened inside the attempt, never before it (a handle left at its end is how a retry
sends nothing), and looked at before and after: device, inode, size and time of change. A file that
was replaced under its name is still the file we opened; one that was written to meanwhile is not
sent as if nothing had happened (F02, F03).
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, runtime_checkable

from cadenza_client.errors import FileChangedError

__all__ = ["MediaSource", "OpenSource", "open_source"]


@runtime_checkable
class MediaSource(Protocol):
    """Something an upload can be read from, for callers with their own way to open a file.

    The uploader opens below a directory it holds open and follows no links (F06, F07); a test may
    give a `BytesIO`. A source may also have a `size_bytes`, which is then what the file must have.
    """

    def open(self) -> BinaryIO:
        """A new handle at the first byte. Called once for each attempt, and closed after it."""
        ...


class _Looks(NamedTuple):
    device: int
    inode: int
    size_bytes: int
    changed_ns: int


@dataclass(frozen=True)
class OpenSource:
    """An open file and how it looked when it was opened."""

    handle: BinaryIO
    size_bytes: int
    _looks: _Looks | None

    def check_unchanged(self) -> None:
        """Compare with how it looked at the start.

        Raises:
            FileChangedError: it was written to, cut or extended.
        """
        if self._looks is not None and _looks(self.handle) != self._looks:
            raise FileChangedError("the file changed while it was being sent")


@contextmanager
def open_source(source: Path | MediaSource) -> Generator[OpenSource]:
    """Open a source for one attempt.

    Raises:
        FileChangedError: the path names something that is not a regular file.
        OSError: it is missing or may not be read; which one is for the caller to tell apart.
    """
    with _open_path(source) if isinstance(source, Path) else source.open() as handle:
        looks = _looks(handle)
        size = handle.seek(0, io.SEEK_END) if looks is None else looks.size_bytes
        announced: object = getattr(source, "size_bytes", None)
        if isinstance(announced, int) and announced != size:
            raise FileChangedError(f"the file has {size} bytes, {announced} were announced")
        handle.seek(0)
        yield OpenSource(handle, size, looks)


def _open_path(path: Path) -> BinaryIO:
    # O_NONBLOCK: a FIFO under the name must not hold the upload for ever (F09).
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileChangedError(f"{path.name} is not a regular file")
        return open(descriptor, "rb", buffering=0)  # noqa: PTH123 - closed by the caller
    except BaseException:
        os.close(descriptor)
        raise


def _looks(handle: BinaryIO) -> _Looks | None:
    try:
        found = os.fstat(handle.fileno())
    except io.UnsupportedOperation:
        return None
    return _Looks(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
