"""Surgery on MP4 files: how truth and headers are made to disagree."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

CONTAINERS = {
    b"moov",
    b"trak",
    b"mdia",
    b"minf",
    b"stbl",
    b"edts",
    b"udta",
    b"mvex",
    b"moof",
    b"traf",
}


def patched(path: Path, change: Callable[[bytearray], bytearray | bytes | None]) -> None:
    """Change the bytes of a file, in place or by returning others."""
    content = bytearray(path.read_bytes())
    other = change(content)
    path.write_bytes(content if other is None else other)


def boxes(
    content: bytes | bytearray, start: int = 0, end: int | None = None
) -> Iterator[tuple[bytes, int, int, int]]:
    """Every box, outermost first: kind, position, header length, size."""
    end = len(content) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, start)
        header = 8
        if size == 1:
            size, header = struct.unpack_from(">Q", content, start + 8)[0], 16
        elif size == 0:
            size = end - start
        if size < header:
            return
        yield kind, start, header, size
        if kind in CONTAINERS:
            yield from boxes(content, start + header, min(start + size, end))
        start += size


def find(content: bytes | bytearray, kind: bytes) -> list[tuple[int, int, int]]:
    """All boxes of one kind: position, header length, size."""
    return [(at, header, size) for each, at, header, size in boxes(content) if each == kind]


def state_duration(
    content: bytearray, seconds: float, kinds: tuple[bytes, ...] = (b"mvhd", b"tkhd", b"mdhd")
) -> None:
    """Make the headers say another length than the samples have."""
    movie_clock = 1000
    for kind in kinds:
        for at, header, _ in find(content, kind):
            old = content[at + header] == 0
            fields = at + header + 4
            form = ">I" if old else ">Q"
            if kind == b"tkhd":
                where = fields + (16 if old else 24)
                struct.pack_into(form, content, where, int(seconds * movie_clock))
                continue
            where = fields + (8 if old else 16)
            clock = struct.unpack_from(">I", content, where)[0]
            if kind == b"mvhd":
                movie_clock = clock
            struct.pack_into(form, content, where + 4, int(seconds * clock))


def trim_by_edit_list(content: bytearray, start: float, seconds: float) -> None:
    """Show only `seconds` from `start` on, as an iPhone's trim does."""
    at, header, _ = find(content, b"mvhd")[0]
    movie_clock = struct.unpack_from(">I", content, at + header + 12)[0]
    for track, (at, header, _) in enumerate(find(content, b"elst")):
        media_at, media_header, _ = find(content, b"mdhd")[track]
        clock = struct.unpack_from(">I", content, media_at + media_header + 12)[0]
        first = struct.unpack_from(">i", content, at + header + 12)[0]
        begin = max(first, 0) + int(start * clock)
        struct.pack_into(">Ii", content, at + header + 8, int(seconds * movie_clock), begin)
    state_duration(content, seconds, (b"mvhd", b"tkhd"))


def replace_sps(content: bytearray, width: int, height: int) -> None:
    """Put another picture size into the H.264 parameters. The index must come last."""
    sps = _sps(width, height)
    at = content.find(b"avcC")
    size = struct.unpack_from(">I", content, at - 4)[0]
    old = struct.unpack_from(">H", content, at + 10)[0]
    fresh = (
        content[at + 4 : at + 10]
        + struct.pack(">H", len(sps))
        + sps
        + content[at + 12 + old : at - 4 + size]
    )
    more = len(fresh) + 8 - size
    struct.pack_into(">I", content, at - 4, size + more)
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        where, _, its_size = find(content, kind)[0]
        struct.pack_into(">I", content, where, its_size + more)
    entry = content.find(b"avc1", find(content, b"stsd")[0][0]) - 4
    struct.pack_into(">I", content, entry, struct.unpack_from(">I", content, entry)[0] + more)
    content[at + 4 : at - 4 + size] = fresh


def _sps(width: int, height: int) -> bytes:
    bits = f"{66:08b}{0xC0:08b}{62:08b}"

    def number(value: int) -> str:
        binary = f"{value + 1:b}"
        return "0" * (len(binary) - 1) + binary

    for value in (0, 0, 2, 1):
        bits += number(value)
    bits += "0" + number(width // 16 - 1) + number(height // 16 - 1) + "110" + "1"
    bits += "0" * (-len(bits) % 8)
    raw = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    escaped = bytearray()
    zeros = 0
    for byte in raw:
        if zeros >= 2 and byte <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return b"\x67" + bytes(escaped)
