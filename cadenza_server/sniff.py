"""What bytes are, by their beginning: names and declared types prove nothing (M01)."""

from __future__ import annotations

import struct

SNIFF_BYTES = 64
# ISO media begins with `ftyp`; QuickTime files older than it begin with one of the others.
_FIRST_ATOMS = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_EBML = b"\x1a\x45\xdf\xa3"
_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"


def is_video(start: bytes) -> bool:
    """True for the start of an MP4, QuickTime or Matroska/WebM file."""
    return start[4:8] in _FIRST_ATOMS or start.startswith(_EBML)


def is_jpeg(start: bytes) -> bool:
    """True for the start of a JPEG picture."""
    return start.startswith(_JPEG)


def image_size(data: bytes) -> tuple[str, int, int] | None:
    """Content type, width and height of a JPEG or PNG picture, or None for anything else."""
    if data.startswith(_PNG) and data[12:16] == b"IHDR" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return ("image/png", width, height) if width and height else None
    if is_jpeg(data):
        return _jpeg_size(data)
    return None


def _jpeg_size(data: bytes) -> tuple[str, int, int] | None:
    """Walk the markers to the frame header: its place depends on the metadata before it."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return ("image/jpeg", width, height) if width and height else None
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        if length < 2:
            return None
        at += 2 + length
    return None
