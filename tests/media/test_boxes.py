"""The outermost structure of an MP4, read from headers alone."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_uploader._media._boxes import MAX_BOXES, Layout, layout_of


def box(kind: bytes, content: bytes = b"", size: int | None = None) -> bytes:
    return struct.pack(">I4s", 8 + len(content) if size is None else size, kind) + content


def large_box(kind: bytes, content: bytes = b"", size: int | None = None) -> bytes:
    size = 16 + len(content) if size is None else size
    return struct.pack(">I4sQ", 1, kind, size) + content


def read(content: bytes) -> Layout:
    return layout_of(lambda size, offset: content[offset : offset + size], len(content))


FTYP, MOOV, MDAT = box(b"ftyp", b"isom"), box(b"moov", bytes(50)), box(b"mdat", bytes(100))


def test_index_before_and_after_the_media() -> None:
    first, last = read(FTYP + MOOV + MDAT), read(FTYP + MDAT + MOOV)

    assert (first.has_index, first.has_media, first.index_first) == (True, True, True)
    assert (last.has_index, last.has_media, last.index_first) == (True, True, False)
    assert first.whole
    assert last.whole
    assert not first.fragmented


@pytest.mark.parametrize(
    "content",
    [
        FTYP + MDAT,
        FTYP,
        b"",
        FTYP + box(b"mdat", bytes(100), size=5000),
        FTYP + box(b"mdat", bytes(100), size=0),
        FTYP + MDAT + MOOV[:-1],
        FTYP + MDAT + MOOV[:5],
    ],
)
def test_index_that_is_missing_or_cut_off_is_none(content: bytes) -> None:
    assert not read(content).has_index


def test_fragment_that_is_cut_off() -> None:
    fragment = box(b"moof", bytes(30)) + MDAT

    assert read(FTYP + MOOV + fragment).whole
    assert read(FTYP + MOOV + fragment).fragmented
    assert not read(FTYP + MOOV + fragment[:-1]).whole


def test_sizes_of_64_bits_and_to_the_end_of_the_file() -> None:
    assert read(FTYP + large_box(b"mdat", bytes(90)) + MOOV).has_index
    assert read(FTYP + MOOV + box(b"mdat", bytes(90), size=0)).whole
    assert not read(FTYP + MOOV + large_box(b"mdat", bytes(90), size=1 << 40)).whole


@pytest.mark.parametrize("padding", [b"\0" * 500, b"\0\0\0", b"\xff" * 20, b"trailing text ..."])
def test_what_cameras_leave_behind_the_last_box_is_no_damage(padding: bytes) -> None:
    layout = read(FTYP + MOOV + MDAT + padding)

    assert layout.has_index
    assert layout.whole or padding.startswith(b"trail")


def test_boxes_smaller_than_their_header_end_the_walk() -> None:
    assert not read(FTYP + box(b"free", size=4) + MOOV).has_index
    assert not read(FTYP + large_box(b"free", size=3) + MOOV).has_index


def test_endless_row_of_empty_boxes_is_given_up() -> None:
    reads = 0

    def read_at(size: int, offset: int) -> bytes:
        nonlocal reads
        reads += 1
        return box(b"free") + b"\0" * 8

    layout_of(read_at, 1 << 60)

    assert reads == MAX_BOXES


@given(st.binary(max_size=200))
def test_no_bytes_break_the_walk(content: bytes) -> None:
    read(content)
    read(FTYP + MOOV + content)
