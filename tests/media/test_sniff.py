"""First bytes, and nothing else, say what a file is (M01, M04)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza_uploader._media import DamagedMediaError, NotAVideoError
from cadenza_uploader._media._sniff import DEMUXERS, HEAD_BYTES, Container, sniff

EBML = b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82"


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (b"\0\0\0\x20ftypisom\0\0\2\0", "mp4"),
        (b"\0\0\0\x14ftypM4V \0\0\0\0", "mp4"),
        (b"\0\0\0\x14ftyp3gp5\0\0\0\0", "mp4"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0", "quicktime"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "quicktime"),
        (b"\0\0\1\0mdat" + bytes(20), "quicktime"),
        (b"\0\0\1\0moov" + bytes(20), "quicktime"),
        (b"\0\0\0\x18stypmsdh" + bytes(20), "mp4"),
        (b"\0\0\1\0moof" + bytes(20), "mp4"),
        (EBML + b"\x84webm", "webm"),
        (EBML + b"\x88matroska", "matroska"),
        (EBML, "matroska"),
        (b"RIFF\x10\0\0\0AVI LIST", "avi"),
        (b"FLV\x01\x05", "flv"),
        (b"\0\0\x01\xbaD", "mpeg"),
        ((b"\x47" + bytes(187)) * 4, "mpegts"),
        (bytes(4) + (b"\x47" + bytes(191)) * 4, "mpegts"),
    ],
)
def test_knows_containers_by_their_beginning(head: bytes, container: Container) -> None:
    assert sniff(head) == container
    assert container in DEMUXERS


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"GIF89a" + bytes(20), "GIF"),
        (b"II*\0" + bytes(20), "TIFF"),
        (b"MM\0*" + bytes(20), "TIFF"),
        (b"fLaC" + bytes(20), "FLAC"),
        (b"OggS" + bytes(20), "Ogg"),
        (b"MThd" + bytes(20), "MIDI"),
        (b"FORM" + bytes(20), "AIFF"),
        (b"Rar!" + bytes(20), "RAR"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(20), "7-Zip"),
        (b"\x1f\x8b\x08" + bytes(20), "gzip"),
        (b"\x7fELF" + bytes(20), "program"),
        (b"MZ\x90" + bytes(20), "program"),
        (b"SQLite format 3\0", "database"),
        (b"\0\0\0\x1cftypavif" + bytes(20), "AVIF"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "web page"),
        (b"[playlist]\nFile1=x", "playlist"),
        (b"\xef\xbb\xbfhello", "text"),
        (b"#EXTM3U8\nx", "playlist"),
        (b"\x47" + bytes(300), "not a video Cadenza knows"),
        (b"RIFF\0\0\0\0JUNK", "not a video Cadenza knows"),
        (b"\xff", "not a video Cadenza knows"),
        (b"caf\xe9 au lait", "not a video Cadenza knows"),
        (b"bell\x07", "not a video Cadenza knows"),
    ],
)
def test_names_other_things(head: bytes, what: str) -> None:
    with pytest.raises(NotAVideoError, match=what) as caught:
        sniff(head)

    assert caught.value.code == "not_a_video"


def test_empty_and_zeroed_files_have_their_own_words() -> None:
    with pytest.raises(NotAVideoError, match="empty") as empty:
        sniff(b"")
    with pytest.raises(DamagedMediaError, match="zero bytes") as zeroed:
        sniff(bytes(HEAD_BYTES))

    assert (empty.value.code, zeroed.value.code) == ("empty_file", "zero_filled")


def test_text_whose_head_ends_inside_a_letter_is_still_a_text() -> None:
    head = ("x" + "Ж" * HEAD_BYTES).encode()[:HEAD_BYTES]

    with pytest.raises(NotAVideoError, match="a text"):
        sniff(head)


@given(st.binary(max_size=300))
def test_no_beginning_is_too_strange(head: bytes) -> None:
    with contextlib.suppress(NotAVideoError, DamagedMediaError):
        assert sniff(head) in DEMUXERS
