"""What a file is, from its first bytes and never from its name (M01, SEC-23).

The answer chooses the one demuxer that will be run on the file, so that a playlist, a concat
script or a picture called ``take.mp4`` is refused here, in plain Python, before any decoder sees
it (M04).
"""

from __future__ import annotations

import codecs
import re
from typing import Literal

from ._errors import DamagedMediaError, NotAVideoError

Container = Literal["mp4", "quicktime", "webm", "matroska", "avi", "mpegts", "mpeg", "flv"]

# How much of a file is looked at.
HEAD_BYTES = 4096

# The one demuxer of each container. `mov` is also MP4's.
DEMUXERS: dict[Container, str] = {
    "mp4": "mov",
    "quicktime": "mov",
    "webm": "matroska",
    "matroska": "matroska",
    "avi": "avi",
    "mpegts": "mpegts",
    "mpeg": "mpeg",
    "flv": "flv",
}

_TOP_LEVEL_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid")
_FRAGMENT_BOXES = (b"styp", b"moof", b"sidx")
_PICTURE_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")

# (offset, bytes, what it is). First match wins.
_OTHER_THINGS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"BM", "a BMP picture"),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (0, b"ID3", "a sound file (MP3)"),
    (0, b"fLaC", "a sound file (FLAC)"),
    (0, b"OggS", "an Ogg file"),
    (0, b"MThd", "a MIDI file"),
    (0, b"FORM", "a sound file (AIFF)"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "a Windows Media file"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
    (0, b"SQLite format 3\0", "a database"),
    (0, b"bplist00", "a property list (an iCloud placeholder?)"),
    (0, b"\0\x05\x16\x07", "a side file of a Mac copy (the video is the file without '._')"),
)
_PLAYLIST = re.compile(rb"\s*(#EXTM3U|ffconcat|\[playlist\])", re.IGNORECASE)
_WEB_PAGE = re.compile(rb"\s*<(!doctype html|html|\?xml)", re.IGNORECASE)


def sniff(head: bytes) -> Container:
    """Name the container that begins with `head` (at most `HEAD_BYTES` are needed).

    Raises:
        NotAVideoError: It is empty or something else; the sentence names it.
        DamagedMediaError: There is nothing but zero bytes.
    """
    if not head:
        raise NotAVideoError("empty_file", "The file is empty: nothing was recorded.", measured="0")
    container = _video_container(head)
    if container is not None:
        return container
    if not head.strip(b"\0"):
        raise DamagedMediaError(
            "zero_filled",
            "The file holds only zero bytes: its content was lost by the disk it was on.",
        )
    what = _other_thing(head)
    raise NotAVideoError(
        "not_a_video",
        f"This is {what}, not a video." if what else "This is not a video Cadenza knows.",
        measured=what,
    )


def _video_container(head: bytes) -> Container | None:
    kind = head[4:8]
    if kind == b"ftyp":
        return _by_brand(head)
    if kind in _TOP_LEVEL_BOXES:
        return "quicktime"  # from before `ftyp` existed
    if kind in _FRAGMENT_BOXES:
        return "mp4"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "webm" if b"webm" in head[:64] else "matroska"
    if head.startswith(b"RIFF") and head[8:11] == b"AVI":
        return "avi"
    if head.startswith(b"FLV\x01"):
        return "flv"
    if head.startswith(b"\0\0\x01\xba"):
        return "mpeg"
    if any(_is_transport_stream(head, start, step) for start, step in ((0, 188), (4, 192))):
        return "mpegts"
    return None


def _by_brand(head: bytes) -> Container | None:
    brand = head[8:12]
    if brand in _PICTURE_BRANDS:
        return None
    return "quicktime" if brand == b"qt  " else "mp4"


def _is_transport_stream(head: bytes, start: int, step: int) -> bool:
    syncs = head[start::step]
    return len(syncs) >= 3 and set(syncs) == {0x47}


def _other_thing(head: bytes) -> str | None:
    for offset, magic, what in _OTHER_THINGS:
        if head[offset:].startswith(magic):
            return what
    if head.startswith(b"RIFF"):
        return {b"WAVE": "a sound file (WAV)", b"WEBP": "a WebP picture"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return "a HEIC or AVIF picture"
    if head[0] == 0xFF and len(head) > 1 and head[1] & 0xE0 == 0xE0:
        return "a sound file (MP3 or AAC)"
    if _PLAYLIST.match(head):
        return "a playlist"
    if _WEB_PAGE.match(head):
        return "a web page"
    return "a text" if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    # A whole head may end inside a character.
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        text = decoder.decode(head, final=len(head) < HEAD_BYTES)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)
