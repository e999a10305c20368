"""Writing an MP4 with its index first, keeping the disk's failures apart from the source's."""

# pyright: reportUnknownMemberType=false
# (the stubs of PyAV are partial)
from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import av
from av.error import FFmpegError

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream


class PackingError(Exception):
    """An MP4 does not take these packets: their time stamps, or a codec it has no place for."""


class Packer:
    """The file being written. A context manager: the index is written on the way out.

    A full disk is an `OSError` of its own kind: the reading side, in whose context this runs,
    would take FFmpeg's error for damage in the source.
    """

    def __init__(self, destination: Path) -> None:
        with _told_apart():
            self.container = av.open(
                f"file:{destination}", "w", format="mp4", options={"movflags": "+faststart"}
            )

    def mux(self, packets: Packet[Stream] | Sequence[Packet[Stream]]) -> None:
        """Write packets.

        Raises:
            PackingError: An MP4 does not take them.
            OSError: The disk does not.
        """
        with _told_apart():
            self.container.mux(packets)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            with _told_apart():
                self.container.close()
            return
        with suppress(FFmpegError):  # the first error is the one to tell
            self.container.close()


@contextmanager
def _told_apart() -> Generator[None]:
    try:
        yield
    except FFmpegError as error:
        if isinstance(error, OSError):
            number = error.errno or 5
            raise OSError(number, os.strerror(number)) from error
        raise PackingError(error.strerror) from error
