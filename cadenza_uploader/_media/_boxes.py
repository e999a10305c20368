"""The outermost structure of an MP4: which boxes there are and whether the last one is whole.

Reads headers only, a few bytes each, so a 250 MB file costs as little as a small one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

# A take of three minutes in fragments of one frame has some 11,000 boxes.
MAX_BOXES = 50_000

ReadAt = Callable[[int, int], bytes]
"""(size_bytes, offset) → at most that many bytes, as `os.pread` gives them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the index and the media lie."""

    has_index: bool
    has_media: bool
    index_first: bool
    fragmented: bool
    whole: bool


def layout_of(read_at: ReadAt, size_bytes: int) -> Layout:
    """Walk the top-level boxes of an MP4 or QuickTime file."""
    index_at: int | None = None
    media_at: int | None = None
    fragmented = False
    whole = True
    position = 0
    for _ in range(MAX_BOXES):
        header = read_at(16, position)
        if len(header) < 8 or not _is_box_kind(header[4:8]):
            break  # the end, or the padding some cameras leave behind the last box
        size, kind = struct.unpack_from(">I4s", header)
        if size == 1 and len(header) == 16:
            size = struct.unpack_from(">Q", header, 8)[0]
        elif size == 0:
            size = size_bytes - position
        if size < 8:
            break
        if kind == b"moov" and index_at is None:
            # An index that is itself cut off is no index.
            index_at = position if position + size <= size_bytes else None
        elif kind == b"mdat" and media_at is None:
            media_at = position
        elif kind == b"moof":
            fragmented = True
        position += size
        if position > size_bytes:
            whole = False
            break
    return Layout(
        has_index=index_at is not None,
        has_media=media_at is not None,
        index_first=index_at is not None and (media_at is None or index_at < media_at),
        fragmented=fragmented,
        whole=whole,
    )


def _is_box_kind(kind: bytes) -> bool:
    return all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in kind)
